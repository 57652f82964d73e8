# SPDX-License-Identifier: Apache-2.0
"""Names that the ssl module of Python 3.6 happened to have, and that third parties came to use."""

import base64
import errno
import os
import re
import sys
import textwrap
import warnings
from collections import namedtuple
from socket import AF_INET, SO_TYPE, SOCK_STREAM, SOL_SOCKET, create_connection, socket

__all__ = [
    "AF_INET",
    "SOCK_STREAM",
    "SOL_SOCKET",
    "SO_TYPE",
    "base64",
    "create_connection",
    "errno",
    "namedtuple",
    "os",
    "re",
    "socket",
    "sys",
    "textwrap",
    "warnings",
]

try:
    import ipaddress  # noqa: F401
except ImportError:  # 2.7 has no such module
    pass
else:
    __all__.append("ipaddress")
