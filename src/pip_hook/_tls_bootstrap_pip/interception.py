# SPDX-License-Identifier: Apache-2.0
"""The import system's side: answers the finder and runs pip's stack with `ssl` replaced."""

import sys
import threading

from . import audit, program, stack, transport
from .ladder import PYOPENSSL, TLS_BOOTSTRAP, inject_pyopenssl, ladder
from .substitution import Substitution

_replacements = {}
_substitution = Substitution(_replacements, stack.covers)
_nesting = threading.local()
_python2_busy = set()


def _wanted(finder, name):
    """The rung on which the module `name` must be imported with our help, or None."""
    if not stack.covers(name):
        return None
    rung = ladder.settle(finder)
    if name in stack.TOP_LEVEL and "urllib3.contrib.pyopenssl" not in finder.names:
        finder.names += ("urllib3.contrib.pyopenssl", "requests.packages.urllib3.contrib.pyopenssl")
    if rung == TLS_BOOTSTRAP:
        _replacements.update({"ssl": ladder.module, "_ssl": ladder.low_level})
        return rung
    if rung == PYOPENSSL and stack.is_urllib3(name):
        return rung
    return None


def run_import(name, run, undo):
    """Import the module `name` by `run()`, with `ssl` replaced if that works and without if not.

    run  -- function() that executes the module, and may be called a second time
    undo -- function() that clears what a failed run left in the module
    """
    if ladder.rung != TLS_BOOTSTRAP:
        result = run()
        if ladder.rung == PYOPENSSL and stack.is_urllib3(name):
            inject_pyopenssl(name)
        return result
    if getattr(_nesting, "depth", 0):  # a part of an import that has its second try further out
        with _substitution:
            return run()
    before = set(sys.modules)
    _nesting.depth = 1
    try:
        with _substitution:
            result = run()
    except Exception as error:
        _forget(before)
        undo()
        result = run()  # an optional module that cannot be imported either way raises here again
        ladder.step_down(error)
        if ladder.rung == PYOPENSSL and stack.is_urllib3(name):
            inject_pyopenssl(name)
        return result
    finally:
        _nesting.depth = 0
    if sys.version_info[0] == 2:
        transport.enable()
    try:
        strangers = audit.repair(ladder.module, ladder.low_level)
    except Exception as error:  # pip has what it needs; nothing after that may fail
        strangers = ["nobody: %s" % error]
    if strangers:
        program.note("gave the standard ssl back to %s" % ", ".join(strangers))
    return result


def _forget(before):
    for name in set(sys.modules) - before:
        if stack.covers(name):
            del sys.modules[name]


def _refuse(name):
    # pips up to 20.0 put PyOpenSSL over whatever `ssl` is, and go on when that raises ImportError.
    raise ImportError("%s is not needed: pip uses _tls_bootstrap" % name)


# Python 3


def find_spec(finder, name, path):
    """The spec of a module of pip's stack, with a loader that calls `run_import`; else None."""
    rung = _wanted(finder, name)
    if rung is None:
        return None
    if rung == TLS_BOOTSTRAP and stack.is_pyopenssl_bridge(name):
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, RefusingLoader())
    for other in sys.meta_path:
        if other is finder or not hasattr(other, "find_spec"):
            continue
        spec = other.find_spec(name, path)
        if spec is not None:
            if spec.loader is not None:
                spec.loader = InterceptingLoader(spec.loader)
            return spec
    return None


class RefusingLoader(object):
    def create_module(self, spec):
        _refuse(spec.name)

    def exec_module(self, module):
        _refuse(module.__name__)

    def load_module(self, name):
        _refuse(name)


class InterceptingLoader(object):
    """Stands before the real loader until the module is executed, then leaves it in its place."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        create = getattr(self._loader, "create_module", None)
        return create(spec) if create is not None else None

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        pristine = dict(module.__dict__)

        def undo():
            sys.modules[module.__name__] = module
            module.__dict__.clear()
            module.__dict__.update(pristine)

        run_import(module.__name__, lambda: self._execute(module), undo)

    def _execute(self, module):
        if hasattr(self._loader, "exec_module"):
            self._loader.exec_module(module)
        else:  # zipimporter before 3.10
            exec(self._loader.get_code(module.__name__), module.__dict__)


# Python 2


def find_module(finder, name, path):
    """A loader that imports a module of pip's stack by `run_import`; else None."""
    if name in _python2_busy:
        return None
    rung = _wanted(finder, name)
    if rung is None:
        return None
    if rung == TLS_BOOTSTRAP and stack.is_pyopenssl_bridge(name):
        return RefusingLoader()
    if getattr(_nesting, "depth", 0):  # the global import lock is ours: the substitution is in place
        return None
    return ReentrantLoader()


class ReentrantLoader(object):
    def load_module(self, name):
        if name in sys.modules:
            return sys.modules[name]

        def run():
            __import__(name)
            return sys.modules[name]

        _python2_busy.add(name)
        try:
            return run_import(name, run, lambda: None)
        finally:
            _python2_busy.discard(name)
