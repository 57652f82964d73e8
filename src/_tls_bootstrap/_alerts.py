# SPDX-License-Identifier: Apache-2.0
"""AlertDescription and its members (ssl documentation: "Constants"; RFC 8446 section 6)."""

from ._constants import IntEnum, core_enumeration

__all__ = ["AlertDescription"]

AlertDescription = core_enumeration(
    globals(), IntEnum, "AlertDescription", "ALERT_DESCRIPTION_", "What an alert of the peer means (RFC 8446 section 6)."
)
