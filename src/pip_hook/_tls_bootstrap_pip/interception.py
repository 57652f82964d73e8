# SPDX-License-Identifier: Apache-2.0
"""The import system's side: answers the finder and runs pip's stack with `ssl` replaced.

Python 3 asks a finder while it holds a lock that every import of another thread needs. Whoever imports something there
waits for ever for a module that another thread is just importing, so `find_spec` imports nothing; the loader may.
"""

import sys
import threading

from . import audit, deferral, program, replacement, stack
from .ladder import PYOPENSSL, STANDARD, TLS_BOOTSTRAP, inject_pyopenssl, ladder
from .substitution import Substitution, builtins_with

# What the finder asks about from when this is there, beside what it did before.
NAMES = stack.BORROWERS | stack.LATE_BORROWERS | set(["distlib"])

_replacements = {}
_substitution = Substitution(_replacements, stack.may_hold, replacement.demand)
_thread = threading.local()  # parts: the names imported within this thread's import; plain: that goes without ours
_python2_busy = set()


def _concerns(finder, name):
    """True for a module that must be imported with our help, if ours can be had.

    Not for a part of an import that has it: `ssl` is replaced there, and the second try is further out.
    """
    if _nested() and name not in stack.TOP_LEVEL and not name.endswith(".contrib.pyopenssl"):
        _thread.parts.append(name)
        return False
    if not stack.covers(name) or getattr(_thread, "plain", False):
        return False
    if name in stack.TOP_LEVEL and "urllib3.contrib.pyopenssl" not in finder.names:
        finder.names |= set(["urllib3.contrib.pyopenssl", "requests.packages.urllib3.contrib.pyopenssl"])
    return True


def _defers(finder, name):
    """True for the first import of the standard `ssl` in a process of pip that may do without."""
    if name != deferral.NAME:
        return False
    finder.names -= set([name])  # to reload it is to execute it
    return ladder.rung in (None, TLS_BOOTSTRAP) and program.is_pip() and not program.switched_off()


def _settle(finder):
    """The rung of the ladder, with what it takes to stand on it."""
    rung = ladder.settle(finder)
    if rung == TLS_BOOTSTRAP:
        _replacements.update({"ssl": ladder.module, "_ssl": ladder.low_level})
    return rung


def run_import(name, run, undo):
    """Import the module `name` by `run()`, with `ssl` replaced if that works and without if not.

    run  -- function() that executes the module, and may be called again after a failure
    undo -- function() that clears what a failed run left in the module
    """
    if ladder.rung != TLS_BOOTSTRAP:
        result = run()
        if ladder.rung == PYOPENSSL and stack.is_urllib3(name):
            inject_pyopenssl(name)
        return result
    if _nested():  # a part of an import that has its second try further out
        _thread.parts.append(name)
        return _run_replaced(run)
    before = set(sys.modules)
    _thread.parts = []
    try:
        try:
            result = _run_replaced(run)
        except Exception as error:
            # Another thread's failed import may be the reason, or a circle within pip: not one yet to give ours up.
            undo()
            try:
                result = _run_replaced(run)
            except Exception:
                _forget(before)
                undo()
                return _without_ours(name, run, error)
    finally:
        _thread.parts = None
    if sys.version_info[0] == 2:
        _mend_transport()
    try:
        strangers = audit.repair(set(sys.modules) - before, _replacements["ssl"], _replacements["_ssl"])
    except Exception as error:  # pip has what it needs; nothing after that may fail
        strangers = ["nobody: %s" % error]
    if strangers:
        program.note("gave the standard ssl back to %s" % ", ".join(strangers))
    return result


def _mend_transport():
    """TLS within TLS for the urllib3 that has it, 1.26, from pip 20.3 on. Never raises: all else works without."""
    if any(place + "urllib3.util.ssltransport" in sys.modules for place in ("pip._vendor.", "")):
        try:
            from . import transport

            transport.enable()
        except Exception as error:  # a damaged file
            program.note("no proxy is reached by TLS: %s" % error)


def _nested():
    return getattr(_thread, "parts", None) is not None


def _run_replaced(run):
    with _substitution:
        return run()


def _without_ours(name, run, error):
    _thread.plain = True
    try:
        # What cannot be imported either way raises here again: an optional module, or where threads wait for each
        # other, which importlib ends by an error. Neither is a reason to give ours up.
        result = run()
    finally:
        _thread.plain = False
    ladder.step_down(error)
    if ladder.rung == PYOPENSSL and stack.is_urllib3(name):
        inject_pyopenssl(name)
    return result


def _forget(before):
    """Take back the parts of a failed import, and no module that another thread imports meanwhile."""
    # Python 2 holds one lock during an import, so all that is new is this thread's; its parts are not listed.
    mine = set(sys.modules) - before if sys.version_info[0] == 2 else _thread.parts
    for name in mine:
        if stack.covers(name):
            sys.modules.pop(name, None)


def _refuse(name):
    # pips up to 20.0 put PyOpenSSL over whatever `ssl` is, and go on when that raises ImportError.
    raise ImportError("%s is not needed: pip uses _tls_bootstrap" % name)


# Python 3


def find_spec(finder, name, path):
    """The spec of a module of pip's stack, with a loader that calls `run_import`, or of `ssl`; else None."""
    if _defers(finder, name):
        spec = _spec_by_others(finder, name, path)
        # Where the binary half is missing, http.client has to see it.
        if hasattr(getattr(spec, "loader", None), "exec_module") and _spec_by_others(finder, deferral.BINARY, path):
            spec.loader = deferral.DeferringLoader(spec.loader)
        return spec
    if name in stack.BORROWERS or name in stack.LATE_BORROWERS:
        spec = _spec_by_others(finder, name, path)
        if hasattr(getattr(spec, "loader", None), "exec_module"):
            spec.loader = LendingLoader(spec.loader)
        return spec
    if not _concerns(finder, name) or ladder.rung == STANDARD:
        return None
    if ladder.rung == TLS_BOOTSTRAP and stack.is_pyopenssl_bridge(name):
        return type(__spec__)(name, RefusingLoader())
    spec = _spec_by_others(finder, name, path)
    if spec is not None and spec.loader is not None:
        spec.loader = InterceptingLoader(spec.loader, finder)
    return spec


def _spec_by_others(finder, name, path):
    """What the rest of sys.meta_path answers."""
    for other in sys.meta_path:
        if other is not finder and hasattr(other, "find_spec"):
            spec = other.find_spec(name, path)
            if spec is not None:
                return spec
    return None


class RefusingLoader(object):
    def create_module(self, spec):
        _refuse(spec.name)

    def exec_module(self, module):
        _refuse(module.__name__)

    def load_module(self, name):
        _refuse(name)


class LendingLoader(object):
    """Executes a borrower: what it imports now or in its functions is ours if pip's HTTP stack has it by then."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        module.__builtins__ = builtins_with(_lend)
        self._loader.exec_module(module)


def _lends():
    """True if a borrower is to have ours. Where there is no `ssl`, distlib has to see it: urllib has no HTTPSHandler then."""
    return ladder.rung == TLS_BOOTSTRAP and sys.modules.get(deferral.NAME) is not None


def _lend(name, names):
    if name not in (deferral.NAME, deferral.BINARY) or not _lends():
        return None
    replacement.demand(_replacements[name], names)
    return _replacements[name]


class InterceptingLoader(object):
    """Stands before the real loader until the module is executed, then leaves it in its place."""

    def __init__(self, loader, finder):
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        create = getattr(self._loader, "create_module", None)
        return create(spec) if create is not None else None

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        _settle(self._finder)
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
    """A loader that imports a module of pip's stack by `run_import`, or `ssl`; else None."""
    if _defers(finder, name):
        return deferral.DeferringImporter() if deferral.BINARY in sys.modules else None
    if name in _python2_busy:
        return None
    if name in stack.BORROWERS:
        return LendingImporter() if _lends() and _is_there(name, path) else None
    if not _concerns(finder, name):
        return None
    rung = _settle(finder)
    if rung == STANDARD or rung == PYOPENSSL and not stack.is_urllib3(name):
        return None
    if rung == TLS_BOOTSTRAP and stack.is_pyopenssl_bridge(name):
        return RefusingLoader()
    if _nested():  # the global import lock is ours: the substitution is in place
        return None
    return ReentrantLoader() if _is_there(name, path) else None


def _is_there(name, path):
    """Whether there is such a module. Python 2 asks for pip._vendor.requests.netrc first where netrc is meant."""
    from pkgutil import get_importer

    return any(get_importer(place).find_module(name) for place in (sys.path if path is None else path))


class ReentrantLoader(object):
    def load_module(self, name):
        if name in sys.modules:
            return sys.modules[name]

        def run():
            __import__(name)
            return sys.modules[name]

        _python2_busy.add(name)
        try:
            return self._import(name, run)
        finally:
            _python2_busy.discard(name)

    def _import(self, name, run):
        return run_import(name, run, lambda: None)


class LendingImporter(ReentrantLoader):
    """Imports a borrower: ours for what it imports now; in its functions it has the standard `ssl`."""

    def _import(self, name, run):
        return _run_replaced(run)
