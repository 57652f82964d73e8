# SPDX-License-Identifier: Apache-2.0
"""VerifyFlags and its members (ssl documentation: "Constants")."""

from ._constants import core_enumeration, int_flag

__all__ = ["VerifyFlags"]

VerifyFlags = core_enumeration(globals(), int_flag(), "VerifyFlags", "VERIFY_", "Flags for SSLContext.verify_flags.")
