# SPDX-License-Identifier: Apache-2.0
# Executed when pip is first imported; before that the function in the .pth file stands in sys.meta_path, which costs a
# start of the interpreter less. Imports nothing but sys, prints nothing, and leaves the work to the package
# _tls_bootstrap_pip. That is loaded with pip._vendor, not only with the HTTP stack in it: threads that import urllib3
# and a part of it at once fail in importlib the more often, the longer a finder takes for urllib3.
import sys


class TlsBootstrapPipFinder(object):
    # What is asked about: these, the same and all below them in pip._vendor, and that itself (the first). The package
    # adds to them when it is there.
    names = frozenset(["", "requests", "urllib3", "truststore", "ssl", "_tls_bootstrap_pip"])
    own = {}  # name of a package of ours -> the only directory it is loaded from
    hook = None

    def find_spec(self, name, path=None, target=None):
        if (name[12:].partition(".")[0] if name[:11] == "pip._vendor" else name) in self.names:
            return self.answer("find_spec", name, path)
        return None

    def find_module(self, name, path=None):  # Python 2 asks this
        if (name[12:].partition(".")[0] if name[:11] == "pip._vendor" else name) in self.names:
            return self.answer("find_module", name, path)
        return None

    def answer(self, question, name, path):
        try:
            if name in self.own:
                if question == "find_spec":
                    # Not by an import statement: see _tls_bootstrap_pip/interception.py. The second is 3.4's.
                    machinery = sys.modules.get("_frozen_importlib_external") or sys.modules["_frozen_importlib"]
                    return machinery.PathFinder.find_spec(name, [self.own[name]])
                from pkgutil import ImpImporter

                return ImpImporter(self.own[name]).find_module(name)
            if self.hook is None:
                if "pip" not in sys.modules:
                    return None
                self.hook = __import__("_tls_bootstrap_pip")
                self.names |= self.hook.NAMES
            return getattr(self.hook, question)(self, name, path)
        except Exception:
            self.names = frozenset()
            self.answer = lambda question, name, path: None
            return None


def start():
    """Put the finder in place, once: that of the .pth file's function, which calls it by executing this file.

    PEP 829's .start file calls it too. The function is replaced where it stands, for the import system may be just
    iterating over sys.meta_path.
    """
    place = None
    for position, finder in enumerate(sys.meta_path):
        if type(finder).__name__ == "TlsBootstrapPipFinder":
            return
        if getattr(finder, "find_spec", None) is finder:  # nothing else is a finder and its own method
            place = position
    directory = __file__.rpartition("/")[0]
    TlsBootstrapPipFinder.directory = globals().get("home") or directory  # that of _tls_bootstrap
    TlsBootstrapPipFinder.own = {"_tls_bootstrap_pip": directory}
    if place is None:
        sys.meta_path.insert(0, TlsBootstrapPipFinder())
    else:
        sys.meta_path[place] = TlsBootstrapPipFinder()


start()
