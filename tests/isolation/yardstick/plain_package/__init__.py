# SPDX-License-Identifier: Apache-2.0
"""A package that does nothing, for the audit of lifetimes: what an interpreter itself keeps of any package it had."""

import _socket

from . import classes  # noqa: F401


class PlainError(_socket.error):
    pass


def plain():
    return classes
