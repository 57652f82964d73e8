# SPDX-License-Identifier: Apache-2.0
"""The standard `ssl` in pip's own process, executed when somebody takes something from it, and mostly never.

http.client, urllib.request and others import it for what pip does not do with them once its HTTP stack has
`_tls_bootstrap`. Left out are its enumerations (3.9: a sixtieth of a whole download) and on Python 3 the system's
OpenSSL. It is the same module object before and after, in sys.modules and wherever it was imported.
"""

import sys
import threading

NAME = "ssl"
BINARY = "_ssl"

if sys.version_info[0] == 2:
    # The lock of all imports: whoever waits for another one while he holds that would wait for ever.
    import imp

    _acquire, _release = imp.acquire_lock, imp.release_lock
else:
    _lock = threading.RLock()
    _acquire, _release = _lock.acquire, _lock.release


_Module = type(sys)


class DeferredModule(_Module):
    """A module that is executed at its first use; from 3.5 on it is of the usual class then.

    What the import system asks a module for, names with two underscores, is no use.
    """

    def __getattribute__(self, name):
        if name[:2] != "__" or name == "__all__":
            _complete(self)
        return _Module.__getattribute__(self, name)

    def __setattr__(self, name, value):
        if name[:2] != "__":
            _complete(self)
        _Module.__setattr__(self, name, value)  # not super(): the class may be another one by now

    def __delattr__(self, name):
        if name[:2] != "__":
            _complete(self)
        _Module.__delattr__(self, name)

    def __dir__(self):
        _complete(self)
        return sorted(vars(self))


_execute = {}  # the deferred module -> function() that executes it; not there once that has begun


def _complete(module):
    """Execute the module if nobody has, and wait for a thread that does.

    What that raises is raised here, and the next use tries again.
    """
    _acquire()
    try:
        execute = _execute.pop(module, None)
        if execute is None:  # done, or this thread is just at it
            return
        pristine = dict(vars(module))
        try:
            execute()
        except BaseException:
            vars(module).clear()
            vars(module).update(pristine)
            _execute[module] = execute
            raise
        try:
            module.__class__ = _Module
        except TypeError:  # before 3.5
            pass
    finally:
        _release()


# Python 3


class DeferringLoader(object):
    """Stands before the real loader until the module is there, not executed."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return DeferredModule(spec.name)

    def exec_module(self, module):
        loader = module.__spec__.loader = module.__loader__ = self._loader
        _execute[module] = lambda: loader.exec_module(module)


# Python 2


class DeferringImporter(object):
    """The loader on Python 2, whose `socket` has imported `_ssl` before."""

    def load_module(self, name):
        module = DeferredModule(name)
        stream, module.__file__, _ = imp.find_module(name)
        stream.close()
        sys.modules[name] = module
        _execute[module] = lambda: self._execute(name, module)
        return module

    def _execute(self, name, module):
        stream, path, description = imp.find_module(name)
        try:
            sys.modules[name] = module  # which is filled so, and removed where that fails
            imp.load_module(name, stream, path, description)
        finally:
            sys.modules[name] = module
            stream.close()
