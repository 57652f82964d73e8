# SPDX-License-Identifier: Apache-2.0
"""SSLErrorNumber and its members (ssl documentation: "Exceptions")."""

from ._constants import IntEnum, core_enumeration

__all__ = ["SSLErrorNumber"]

SSLErrorNumber = core_enumeration(globals(), IntEnum, "SSLErrorNumber", "SSL_ERROR_", "What SSLError.errno can be.")
