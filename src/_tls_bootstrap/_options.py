# SPDX-License-Identifier: Apache-2.0
"""Options and its members (ssl documentation: "Constants")."""

from ._constants import core_enumeration, int_flag

__all__ = ["Options"]

Options = core_enumeration(globals(), int_flag(), "Options", "OP_", "Flags for SSLContext.options.")
