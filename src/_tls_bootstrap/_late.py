# SPDX-License-Identifier: Apache-2.0
"""Imports parts of this package after its first import, and only such as belong to it.

A program may run for weeks while the package is upgraded under it.  What it loads late must come from the
version that it began with, or halves of two versions would meet; where that is gone, it is told so.
"""

from __future__ import absolute_import

import os
import sys

_PACKAGE = __name__.rpartition(".")[0]
_directory = None
_files = {}  # name of a part -> (its file, what tells that from any other which takes its place)


def remember(directory):
    """Notes which files the package consists of now."""
    global _directory
    _directory = directory
    try:
        names = os.listdir(directory)
    except OSError:  # in a zip archive, say: there is nothing to compare
        names = []
    for name in names:
        part, _, kind = name.partition(".")
        if kind in ("py", "so", "abi3.so"):
            _files[part] = (name, _identity(name))


def load(name):
    """The part `name` of this package as a module.

    Raises ImportError, and forgets what was imported for it, if a file is another one than at the start.
    """
    qualified = _PACKAGE + "." + name
    if sys.modules.get(qualified) is not None:
        __import__(qualified)  # waits for a thread that is at it
        return sys.modules[qualified]
    before = _present()
    __import__(qualified)
    module = sys.modules[qualified]
    refuse_replaced(before)
    return module


def refuse_replaced(before=()):
    """Raises ImportError if the file of a part that was imported since `before` is not the one that was noted.

    Checked after the import: package managers replace a file for good, so one that is still there was read.
    """
    new = [name for name in _present() if name not in before]
    replaced = [_files[name][0] for name in new if _files[name][1] != _identity(_files[name][0])]
    if replaced:
        for name in new:
            sys.modules.pop(_PACKAGE + "." + name, None)
            vars(sys.modules[_PACKAGE]).pop(name, None)
        raise ImportError(
            "_tls_bootstrap: %s was replaced while this program runs with an earlier version; start the program again"
            % os.path.join(_directory, min(replaced))
        )


def _present():
    return [name for name in _files if sys.modules.get(_PACKAGE + "." + name) is not None]


def _identity(name):
    try:
        status = os.stat(_directory + os.sep + name)  # join() thirty times over is a fiftieth of the import
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime
