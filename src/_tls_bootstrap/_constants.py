# SPDX-License-Identifier: Apache-2.0
"""The enumerations that every program needs (ssl documentation: "Constants"), and how any of ours is made.

Enum, IntEnum and IntFlag are the standard library's where it has them (3.4, 3.4, 3.6), else ours. The values are those of
the linked OpenSSL, taken from the C half. Making an enumeration takes longer than all else in an import, so those that few
programs look at have modules of their own: _options, _versions, _verify_flags, _error_numbers and _alerts.
"""

import sys

from . import _core

if sys.version_info >= (3, 4):
    from enum import Enum, IntEnum
else:
    from ._enum_emulation import Enum, IntEnum

__all__ = [
    "CHANNEL_BINDING_TYPES",
    "Purpose",
    "VerifyMode",
    "_ASN1Object",
    "_PROTOCOL_NAMES",
    "_SSLMethod",
    "get_protocol_name",
]


# ---- how one is made


def int_flag():
    """IntFlag, for the modules of flags. 2.7 takes a hundredth of an import for it, and most programs look at none."""
    if sys.version_info >= (3, 6):
        from enum import IntFlag
    else:
        from ._flag_emulation import IntFlag
    return IntFlag


def core_members(prefix, drop="", skip=()):
    """(name, value) of the C half's constants with a prefix, in the order of values."""
    pairs = [(name[len(drop) :], value) for name, value in _core.constants(prefix) if name not in skip]
    return sorted(pairs, key=lambda pair: (pair[1], pair[0]))


def enumeration(kind, name, members, doc):
    """An enumeration of (name, value) pairs with a docstring."""
    if sys.version_info[0] == 2:  # a class's docstring cannot be set there
        return kind(name, members + [("__doc__", doc)], module="_tls_bootstrap")
    result = kind(name, members, module="_tls_bootstrap")
    result.__doc__ = doc
    return result


def _reduce_of_conversions():
    """What 3.11's enumerations of C constants have as a __reduce_ex__ of their own, or None.

    Early releases of 3.11 give them one, later ones, which have pickle_by_global_name, do not; and what compares
    enumerations looks at it.  (To make one and look takes as long as all of ours.)
    """
    if sys.version_info[:2] != (3, 11):
        return None
    import enum

    return None if hasattr(enum, "pickle_by_global_name") else getattr(enum, "_reduce_ex_by_global_name", None)


_reduce = _reduce_of_conversions()


def core_enumeration(namespace, kind, name, prefix, doc, skip=()):
    """An enumeration of the C half's constants with a prefix.

    Its members become names of the module whose globals are `namespace`, listed in __all__.
    """
    members = core_members(prefix, skip=skip)
    result = enumeration(kind, name, members, doc)
    if _reduce is not None:
        result.__reduce_ex__ = _reduce
    for member_name, _value in members:
        namespace[member_name] = result[member_name]
        namespace["__all__"].append(member_name)
    return result


# ---- protocols and verification

_SSLMethod = core_enumeration(
    globals(), IntEnum, "_SSLMethod", "PROTOCOL_", "Which protocols, and which side, a context is for.", ("PROTOCOL_SSLv23",)
)
PROTOCOL_SSLv23 = _SSLMethod.PROTOCOL_SSLv23 = _SSLMethod["PROTOCOL_TLS"]
__all__.append("PROTOCOL_SSLv23")
VerifyMode = core_enumeration(globals(), IntEnum, "VerifyMode", "CERT_", "Whether the peer needs a certificate.")

_PROTOCOL_NAMES = dict((member, name) for name, member in _SSLMethod.__members__.items())

# 'tls-exporter' (RFC 9266) is ours; the ssl module offers 'tls-unique' (RFC 5929) alone.
CHANNEL_BINDING_TYPES = ["tls-unique", "tls-exporter"]


def get_protocol_name(protocol_code):
    """The name of a PROTOCOL_* constant, or '<unknown>' (ssl documentation, "wrap_socket")."""
    return _PROTOCOL_NAMES.get(protocol_code, "<unknown>")


# ---- what a certificate is trusted for (ssl documentation: "Context creation", Purpose)

# What OpenSSL tells of the two purposes. Asked for the first time, it loads the texts of all its errors: 2 % of `import ssl`.
_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": (129, "serverAuth", "TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1"),
    "1.3.6.1.5.5.7.3.2": (130, "clientAuth", "TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"),
}


class _ASN1Object(tuple):
    """An ASN.1 object identifier: nid, shortname, longname and oid in dotted form.

    A named tuple, written out because collections (and operator) are slow to import on 2.7.  Raises
    ValueError for what is not a known object.
    """

    __module__ = "_tls_bootstrap"
    __slots__ = ()
    _fields = ("nid", "shortname", "longname", "oid")

    nid = property(lambda self: self[0], doc="OpenSSL's number for it.")
    shortname = property(lambda self: self[1], doc="The short name, such as 'serverAuth'.")
    longname = property(lambda self: self[2], doc="The long name.")
    oid = property(lambda self: self[3], doc="The dotted form.")

    def __new__(cls, oid):
        return tuple.__new__(cls, _PURPOSES.get(oid) or _core.txt2obj(oid, name=False))

    @classmethod
    def _make(cls, fields):
        return tuple.__new__(cls, fields)

    @classmethod
    def fromnid(cls, nid):
        """The object with a number of OpenSSL's own."""
        return cls._make(_core.nid2obj(nid))

    @classmethod
    def fromname(cls, name):
        """The object with a dotted, short or long name."""
        return cls._make(_core.txt2obj(name, name=True))

    def __getnewargs__(self):
        return (self.oid,)

    def __repr__(self):
        fields = ", ".join("%s=%r" % pair for pair in zip(self._fields, self))
        return "%s(%s)" % (type(self).__name__, fields)


class Purpose(_ASN1Object, Enum):
    """What the peer is authenticated as; SSLContext.load_default_certs() takes it."""

    __module__ = "_tls_bootstrap"
    SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
