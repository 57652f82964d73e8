# SPDX-License-Identifier: Apache-2.0
"""The enumerations that every program needs, and their members (ssl documentation: "Constants").

The values are those of the linked OpenSSL, taken from the C half. Making an enumeration takes longer than all else in
an import, so those that few programs look at have modules of their own: _options, _versions, _verify_flags,
_error_numbers and _alerts.
"""

from ._enumeration import IntEnum, core_enumeration

__all__ = [
    "CHANNEL_BINDING_TYPES",
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
VerifyMode = core_enumeration(globals(), IntEnum, "VerifyMode", "CERT_", "Whether the peer needs a certificate.")

_PROTOCOL_NAMES = dict((member, name) for name, member in _SSLMethod.__members__.items())

# 'tls-exporter' (RFC 9266) is ours; the ssl module offers 'tls-unique' (RFC 5929) alone.
CHANNEL_BINDING_TYPES = ["tls-unique", "tls-exporter"]


def get_protocol_name(protocol_code):
    """The name of a PROTOCOL_* constant, or '<unknown>' (ssl documentation, "wrap_socket")."""
    return _PROTOCOL_NAMES.get(protocol_code, "<unknown>")
