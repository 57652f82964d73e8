# SPDX-License-Identifier: Apache-2.0
"""The enumerations and their members as module constants (ssl documentation: "Constants").

The values are those of the linked OpenSSL, taken from the C half.
"""

from __future__ import absolute_import

from ._enumeration import IntEnum, IntFlag, core_enumeration, core_members, enumeration

__all__ = [
    "CHANNEL_BINDING_TYPES",
    "Options",
    "SSLErrorNumber",
    "TLSVersion",
    "VerifyFlags",
    "VerifyMode",
    "_PROTOCOL_NAMES",
    "_SSLMethod",
    "get_protocol_name",
]


_SSLMethod = core_enumeration(
    globals(), IntEnum, "_SSLMethod", "PROTOCOL_", "Which protocols, and which side, a context is for.", ("PROTOCOL_SSLv23",)
)
PROTOCOL_SSLv23 = _SSLMethod.PROTOCOL_SSLv23 = _SSLMethod["PROTOCOL_TLS"]
__all__.append("PROTOCOL_SSLv23")
Options = core_enumeration(globals(), IntFlag, "Options", "OP_", "Flags for SSLContext.options.")
SSLErrorNumber = core_enumeration(globals(), IntEnum, "SSLErrorNumber", "SSL_ERROR_", "What SSLError.errno can be.")
VerifyFlags = core_enumeration(globals(), IntFlag, "VerifyFlags", "VERIFY_", "Flags for SSLContext.verify_flags.")
VerifyMode = core_enumeration(globals(), IntEnum, "VerifyMode", "CERT_", "Whether the peer needs a certificate.")
# In the order of the versions: the value of MAXIMUM_SUPPORTED is negative.
TLSVersion = enumeration(
    IntEnum,
    "TLSVersion",
    sorted(core_members("PROTO_", drop="PROTO_"), key=lambda pair: pair[0] == "MAXIMUM_SUPPORTED"),
    "What SSLContext.minimum_version and maximum_version can be (added in 3.7).",
)

_PROTOCOL_NAMES = dict((member, name) for name, member in _SSLMethod.__members__.items())

# 'tls-exporter' (RFC 9266) is ours; the ssl module offers 'tls-unique' (RFC 5929) alone.
CHANNEL_BINDING_TYPES = ["tls-unique", "tls-exporter"]


def get_protocol_name(protocol_code):
    """The name of a PROTOCOL_* constant, or '<unknown>' (ssl documentation, "wrap_socket")."""
    return _PROTOCOL_NAMES.get(protocol_code, "<unknown>")
