# SPDX-License-Identifier: Apache-2.0
"""Imports parts of this package after its first import, and only such as belong to it.

A program may run for weeks while the package is upgraded under it.  What it loads late must come from the
version that it began with, or halves of two versions would meet; where that is gone, it is told so.
"""

import os
import sys

from . import _core

# 2.7 has one lock for all imports. A thread that waits for it by importing comes out inside of the import, which is
# fatal if it gets its turn when the interpreter ends; out of this it comes where an exception ends it.
_IMPORTS_TAKE_TURNS = sys.version_info[0] == 2
if _IMPORTS_TAKE_TURNS:
    from imp import acquire_lock as _acquire_imports
    from imp import release_lock as _release_imports
else:

    def _acquire_imports():
        pass

    _release_imports = _acquire_imports

_PACKAGE = __name__.rpartition(".")[0]
_encoded = getattr(os, "fsencode", str)  # a path as the C half takes it
_directory = None
_files = {}  # qualified name of a part -> (its file, the state of that, which begins with its size; None: it was not there)
_loaded = {}  # name of a part -> its module, complete and from the file that was noted


def remember(directory):
    """Notes which files the package consists of now."""
    global _directory
    _directory = directory
    try:
        names = os.listdir(directory)
    except OSError:  # in a zip archive, say: there is nothing to compare
        names = []
    parts = [name for name in names if name.partition(".")[2] in ("py", "so", "abi3.so")]
    for name, state in zip(parts, _states(parts)):
        _files[_PACKAGE + "." + name.partition(".")[0]] = (name, state)


def is_there(name):
    """Whether the part `name` was there, and not empty, when the package was imported."""
    file, state = _files.get(_PACKAGE + "." + name, ("", None))
    return bool(state and state[0]) or not _files


def load(name):
    """The part `name` of this package as a module.

    Imports nothing once the part is there: 2.7 aborts when a daemon thread imports while the interpreter ends.
    Raises ImportError, and forgets what was imported for it, if a file is another one than at the start.
    """
    return _loaded.get(name) or _import(name)


def _import(name):
    qualified = _PACKAGE + "." + name
    _acquire_imports()
    try:
        known = sys.modules.get(qualified) is not None
        before = () if known else _present()
        if not (known and _IMPORTS_TAKE_TURNS):
            __import__(qualified)  # waits for a thread that is at it
        if not known:
            refuse_replaced(before)
        module = _loaded[name] = sys.modules.get(qualified)
        # Looked up again: another thread that finds the file replaced takes it out of sys.modules first, then from here.
        if module is None or sys.modules.get(qualified) is not module:
            _loaded.pop(name, None)
            return _import(name)
        return module
    finally:
        _release_imports()


def refuse_replaced(before=()):
    """Raises ImportError if the file of a part that was imported since `before` is not the one that was noted.

    Checked after the import: package managers replace a file for good, so one that is still there was read.
    """
    new = [name for name in _present() if name not in before]
    noted = list(map(_files.get, new))
    now = _states([file for file, _ in noted])
    replaced = [file for (file, state), found in zip(noted, now) if state != found]
    if replaced:
        for qualified in new:
            name = qualified.rpartition(".")[2]
            sys.modules.pop(qualified, None)
            _loaded.pop(name, None)
            vars(sys.modules[_PACKAGE]).pop(name, None)
        raise ImportError(
            "_tls_bootstrap: %s was replaced while this program runs with an earlier version; start the program again"
            % os.path.join(_directory, min(replaced))
        )


def _present():
    """The qualified names of the parts that are imported."""
    return list(filter(sys.modules.get, _files))  # a loop of the interpreter takes ten times as long, at each import


def _states(files):
    """What tells each of the files from any other that takes its place."""
    return _core.file_states(_encoded(_directory), files)
