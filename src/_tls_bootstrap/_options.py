# SPDX-License-Identifier: Apache-2.0
"""Options and its members (ssl documentation: "Constants")."""

from ._constants import IntFlag, core_enumeration

__all__ = ["Options"]

Options = core_enumeration(globals(), IntFlag, "Options", "OP_", "Flags for SSLContext.options.")
