# SPDX-License-Identifier: Apache-2.0
"""TLSVersion (ssl documentation: "Constants"; added in 3.7)."""

from ._constants import IntEnum, core_members, enumeration

__all__ = ["TLSVersion"]

# In the order of the versions: the value of MAXIMUM_SUPPORTED is negative.
TLSVersion = enumeration(
    IntEnum,
    "TLSVersion",
    sorted(core_members("PROTO_", drop="PROTO_"), key=lambda pair: pair[0] == "MAXIMUM_SUPPORTED"),
    "What SSLContext.minimum_version and maximum_version can be (added in 3.7).",
)
