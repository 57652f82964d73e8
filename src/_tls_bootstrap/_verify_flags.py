# SPDX-License-Identifier: Apache-2.0
"""VerifyFlags and its members (ssl documentation: "Constants")."""

from ._constants import IntFlag, core_enumeration

__all__ = ["VerifyFlags"]

VerifyFlags = core_enumeration(globals(), IntFlag, "VerifyFlags", "VERIFY_", "Flags for SSLContext.verify_flags.")
