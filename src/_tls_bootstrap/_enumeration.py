# SPDX-License-Identifier: Apache-2.0
"""Enum, IntEnum and IntFlag: the standard library's where it has them (3.4, 3.4, 3.6), else ours."""

from __future__ import absolute_import

import sys

if sys.version_info >= (3, 4):
    from enum import Enum, IntEnum
else:
    from ._enum_emulation import Enum, IntEnum

if sys.version_info >= (3, 6):
    from enum import IntFlag
else:
    from ._enum_emulation import IntFlag

__all__ = ["Enum", "IntEnum", "IntFlag"]
