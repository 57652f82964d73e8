# SPDX-License-Identifier: Apache-2.0
"""What a certificate is trusted for (ssl documentation: "Context creation", Purpose)."""

from . import _core
from ._enumeration import Enum

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
