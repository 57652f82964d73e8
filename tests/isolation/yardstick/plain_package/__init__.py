# SPDX-License-Identifier: Apache-2.0
"""A package that does nothing, for the audit of lifetimes: what an interpreter itself keeps of any package it had."""

import _socket
import sys

from . import classes  # noqa: F401


class PlainError(_socket.error):
    pass


if sys.version_info[0] == 2:
    # 2.7 loses the classes of `_socket`, and with each of them the list of those that were derived from it.
    class PlainTimeout(PlainError, _socket.timeout):
        pass


def plain():
    return classes
