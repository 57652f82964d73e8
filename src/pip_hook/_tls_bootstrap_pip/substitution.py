# SPDX-License-Identifier: Apache-2.0
"""`import ssl` that means one module for pip's HTTP stack and the usual one for everybody else.

Exchanging sys.modules["ssl"] for the time of the import would be seen by other threads and by every
standard or third-party module that is first imported meanwhile. The statement `import ssl` calls
`builtins.__import__` with the importer's globals, on 2.7 and 3.x alike, so the importer is known. For statements
within functions, executed at any time, Python 3 lets a module have builtins of its own.
"""

import functools
import sys
import threading

try:
    import builtins
except ImportError:
    import __builtin__ as builtins

_DEFAULT_LEVEL = -1 if sys.version_info[0] == 2 else 0


class Substitution(object):
    """Context manager, re-entrant and usable by several threads at once, each of which has it for itself.

    modules -- {"ssl": module, "_ssl": module}
    accepts -- function(importer's __name__) -> True if the importer is to get ours
    demand  -- function(module, names), called before an importer takes names from ours; what it raises, the import raises
    """

    def __init__(self, modules, accepts, demand):
        self._modules = modules
        self._accepts = accepts
        self._demand = demand
        self._thread = threading.local()  # depth: how often this thread has entered
        self._lock = threading.Lock()
        self._users = 0
        self._importer = None
        self._original = None

    def __enter__(self):
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._original = builtins.__import__
                self._importer = self._make_importer(self._original)
                builtins.__import__ = self._importer
        self._thread.depth = self._depth() + 1
        return self

    def __exit__(self, *exception):
        self._thread.depth -= 1
        with self._lock:
            self._users -= 1
            # Somebody may have put an own function around ours; then ours just passes calls on.
            if self._users == 0 and builtins.__import__ is self._importer:
                builtins.__import__ = self._original

    def _depth(self):
        return getattr(self._thread, "depth", 0)

    def _make_importer(self, original):
        modules = self._modules

        # Pip's stack and all that it imports come here thousands of times: what is not about `ssl` is passed on at once.
        def __import__(name, globals=None, locals=None, fromlist=(), level=_DEFAULT_LEVEL):
            if name in modules and level <= 0 and self._depth() and globals is not None:
                if self._accepts(globals.get("__name__") or ""):
                    if fromlist:
                        self._demand(modules[name], fromlist)
                    return modules[name]
            return original(name, globals, locals, fromlist, level)

        # No function: a class that keeps it, as 2.7's logging.config does, would make a method of it.
        return functools.partial(__import__)


def builtins_with(replace):
    """The `__builtins__` of a module on Python 3; on Python 2 they would make it restricted code.

    replace -- function(name, names), called before `name` is imported to take `names` from it -> a module or None
    """

    def __import__(name, globals=None, locals=None, fromlist=(), level=0):
        module = replace(name, fromlist or ()) if level == 0 else None
        return builtins.__import__(name, globals, locals, fromlist, level) if module is None else module

    return dict(vars(builtins), __import__=__import__)
