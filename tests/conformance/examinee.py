# SPDX-License-Identifier: Apache-2.0
"""Runs one of the interpreter's own test modules, with `_tls_bootstrap` in the place of `ssl` or with `ssl` itself.

    PYTHON examinee.py CONFIGURATION

A child of supervisor.py, which watches it and starts it again behind a test that hangs or crashes.  CONFIGURATION is
a JSON file: module (of the standard library, "test.test_ssl"), also (file of further tests, or null), tree (directory
that holds `_tls_bootstrap`, or null for `ssl`), plant (file executed on `_tls_bootstrap` before the tests, or null),
select (regular expression that ids match, or null), only (list of ids, or null), done (list of ids that have run),
events (file that gets one JSON line for each thing that happens).

Nothing may be imported before put_in_place() that might import `ssl` in turn (`unittest` does, from 3.8 on).
"""

from __future__ import absolute_import

import json
import os
import sys

NAMES = ("ssl", "_ssl")
#: Resources of regrtest that the tests may use; `network` is not among them.
RESOURCES = ("cpu", "subprocess", "walltime")


class Events(object):
    """The file that tells the supervisor what happens, a JSON object a line."""

    def __init__(self, path):
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(self, kind, **facts):
        line = json.dumps(dict(facts, kind=kind)) + "\n"
        os.write(self._descriptor, line.encode("ascii"))


class InPlace(object):
    """A finder before all others: `ssl` is always our package, and nobody gets the standard library's `_ssl`."""

    def __init__(self, package):
        self._package = package

    def find_spec(self, name, path=None, target=None):
        if name == "ssl":  # a test asked for a fresh copy
            from importlib.machinery import ModuleSpec

            return ModuleSpec(name, self)
        self._refuse(name)
        return None

    def create_module(self, spec):
        self._own_spec = self._package.__spec__
        return self._package

    def exec_module(self, module):
        module.__spec__ = self._own_spec  # the import system has put its own there

    def find_module(self, name, path=None):  # 2.7
        self._refuse(name)
        return self if name == "ssl" else None

    def load_module(self, name):  # 2.7
        sys.modules[name] = self._package
        return self._package

    def _refuse(self, name):
        if name == "_ssl":
            raise ImportError("_ssl is blocked: _tls_bootstrap stands in the place of ssl")


class Handshakes(object):
    """Counts the handshakes that one implementation of TLS has completed in this process."""

    def __init__(self):
        self._completed = []  # appending is atomic, adding is not

    @property
    def number(self):
        return len(self._completed)

    def watch_ours(self, part):
        """Counts by the function that the C half calls behind each of its do_handshake() that returns."""
        original = part.handshake_completed

        def handshake_completed(connection):
            if connection.version() is not None:
                self._completed.append(connection.version())
            if original is not None:
                original(connection)

        part._core.set_handshake_hooks(handshake_completed, part.tell_names)

    def watch_standard(self, ssl):
        """Counts the calls of do_handshake() that returned, for a run with the standard library's `ssl`."""
        for cls in (ssl.SSLSocket, getattr(ssl, "SSLObject", None)):
            if cls is not None:
                cls.do_handshake = self._counted(cls.do_handshake)

    def _counted(self, do_handshake):
        import functools

        @functools.wraps(do_handshake)
        def counted(connection, *arguments, **keywords):
            result = do_handshake(connection, *arguments, **keywords)
            self._completed.append(connection.version() if hasattr(connection, "version") else None)
            return result

        return counted


def put_in_place(tree, plant=None, handshakes=None):
    """Makes `import ssl` mean `_tls_bootstrap` from `tree`, for good; returns the package."""
    refuse_standard("before _tls_bootstrap could take its place")
    sys.path.insert(0, tree)
    try:
        import _tls_bootstrap._connection as part
    finally:
        sys.path.remove(tree)
    package = sys.modules["_tls_bootstrap"]  # not the name above: before 3.7 the package replaces itself there
    if os.path.dirname(os.path.abspath(package.__file__)) != os.path.join(os.path.abspath(tree), "_tls_bootstrap"):
        raise RuntimeError("_tls_bootstrap came from %s, not from %s" % (package.__file__, tree))
    if handshakes:
        handshakes.watch_ours(part)
    refuse_standard("by _tls_bootstrap")
    sys.modules["ssl"] = package
    sys.modules["_ssl"] = package._ssl
    sys.meta_path.insert(0, InPlace(package))
    if plant:
        with open(plant) as stream:
            exec(compile(stream.read(), plant, "exec"), {"_tls_bootstrap": package})
    return package


def refuse_standard(when):
    early = [name for name in NAMES if name in sys.modules]
    if early:
        raise RuntimeError("the standard library's %s was imported %s" % (" and ".join(early), when))


def put_in_place_of_children(tree):
    """Lets Pythons that the tests start see `_tls_bootstrap` as `ssl`, unless they ignore the environment."""
    import tempfile

    directory = tempfile.mkdtemp()  # below the supervisor's, which removes it
    lines = "import sys\nsys.path.insert(0, %r)\nimport examinee\nsys.path.pop(0)\nexaminee.put_in_place(%r)\n"
    with open(os.path.join(directory, "sitecustomize.py"), "w") as stream:
        stream.write(lines % (os.path.dirname(os.path.abspath(__file__)), tree))
    os.environ["PYTHONPATH"] = directory


def standard_extension():
    """Files of the standard library's `_ssl` that are mapped into this process, and whether it is compiled in."""
    with open("/proc/self/maps") as stream:
        names = set(line.split(None, 5)[5].strip() for line in stream if len(line.split(None, 5)) == 6)
    mapped = sorted(name for name in names if os.path.basename(name).startswith("_ssl."))
    return mapped, "_ssl" in sys.builtin_module_names


def limit_resources(support):
    """Allows the tests what RESOURCES names, and nothing on the network."""
    current = getattr(support, "use_resources", None)
    support.use_resources = dict.fromkeys(RESOURCES) if isinstance(current, dict) else list(RESOURCES)
    support.verbose = False


def repair(support):
    """Adds what tests of 3.8's last release use and its test.support lacks: they failed or not by the order of threads."""
    if sys.version_info >= (3, 8) and not hasattr(support, "SHORT_TIMEOUT"):
        support.SHORT_TIMEOUT = 30.0


def make_ready(module):
    """Does what a module's test_main() does before its tests: it is not called here."""
    if getattr(module, "CERTFILE", "") is None:
        module.CERTFILE = os.path.join(os.path.dirname(os.path.abspath(module.__file__)), "keycert.pem")


def load(name, also):
    """All tests of a module or package of the standard library, and of a file of ours."""
    import importlib
    import unittest

    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite()
    module = importlib.import_module(name)
    if hasattr(module, "__path__"):
        directory = os.path.dirname(module.__file__)
        suite.addTests(loader.discover(directory, top_level_dir=os.path.dirname(os.path.dirname(directory))))
    else:
        make_ready(module)
        vars(module).pop("load_tests", None)  # those add doctests, whose ids depend on paths
        suite.addTests(loader.loadTestsFromModule(module))
    if also:
        sys.path.insert(0, os.path.dirname(also))
        own = importlib.import_module(os.path.splitext(os.path.basename(also))[0])
        suite.addTests(loader.loadTestsFromModule(own))
    return suite


def flat(suite):
    """The tests of a suite of suites, one by one."""
    import unittest

    for test in suite:
        if isinstance(test, unittest.TestSuite):
            for inner in flat(test):
                yield inner
        else:
            yield test


def chosen(suite, configuration):
    """The tests of a suite that this run is to do, as a suite."""
    import re
    import unittest

    select = re.compile(configuration["select"]) if configuration["select"] else None
    only = configuration["only"] and set(configuration["only"])
    done = set(configuration["done"])
    kept = unittest.TestSuite()
    for test in flat(suite):
        name = test.id()
        if name not in done and (select is None or select.search(name)) and (not only or name in only):
            kept.addTest(test)
    return kept


def recorder(events, handshakes):
    """A unittest result that writes each test's outcome as it is known."""
    import time
    import traceback
    import unittest

    class Recorder(unittest.TestResult):
        def startTest(self, test):
            unittest.TestResult.startTest(self, test)
            self._failure = self._skipped = None
            self._started, self._before = time.time(), handshakes.number
            events.tell("start", id=test.id())

        def stopTest(self, test):
            unittest.TestResult.stopTest(self, test)
            text = self._failure or self._skipped or ""
            outcome = "failed" if self._failure else "passed" if self._skipped is None else "skipped"
            events.tell(
                "result",
                id=test.id(),
                outcome=outcome,
                text=text[-2000:],
                seconds=round(time.time() - self._started, 2),
                handshakes=handshakes.number - self._before,
            )

        def _note(self, test, failure):
            try:
                text = "".join(traceback.format_exception(*failure))
            except Exception:  # an exception whose text cannot be made
                text = repr(failure[0])
            if isinstance(test, unittest.TestCase) or hasattr(test, "test_case"):
                # The first one tells the cause: those of tearDown and of further subtests come behind it.
                self._failure = self._failure or text
            else:  # setUpClass or setUpModule: no test of theirs will run
                events.tell("result", id=test.id(), outcome="failed", text=text[-2000:], seconds=0, handshakes=0)

        def addError(self, test, failure):
            unittest.TestResult.addError(self, test, failure)
            self._note(test, failure)

        def addFailure(self, test, failure):
            unittest.TestResult.addFailure(self, test, failure)
            self._note(test, failure)

        def addSubTest(self, test, subtest, failure):
            if failure is not None:
                self._note(test, failure)

        def addSkip(self, test, reason):
            unittest.TestResult.addSkip(self, test, reason)
            if isinstance(test, unittest.TestCase) or hasattr(test, "test_case"):
                self._skipped = str(reason)

        def addUnexpectedSuccess(self, test):
            self._failure = "unexpected success"

    return Recorder()


def main(path):
    with open(path) as stream:
        configuration = json.load(stream)
    events, handshakes = Events(configuration["events"]), Handshakes()
    sys.path.pop(0)  # this file's directory
    if configuration["tree"]:
        ssl = put_in_place(str(configuration["tree"]), configuration["plant"], handshakes)
        put_in_place_of_children(str(configuration["tree"]))
    else:
        import ssl

        handshakes.watch_standard(ssl)
    import test.support

    limit_resources(test.support)
    repair(test.support)
    suite = chosen(load(str(configuration["module"]), configuration["also"]), configuration)
    events.tell(
        "about",
        python=sys.version.split()[0],
        implementation=ssl.__name__,
        file=os.path.abspath(ssl.__file__),
        openssl=ssl.OPENSSL_VERSION,
        flavour=getattr(getattr(ssl, "_core", None), "flavour", None),
        tests=suite.countTestCases(),
    )
    suite.run(recorder(events, handshakes))
    mapped, compiled_in = standard_extension()
    replaced = [name for name in NAMES if configuration["tree"] and sys.modules.get(name) not in (ssl, ssl._ssl)]
    events.tell("end", standard_mapped=mapped, standard_compiled_in=compiled_in, replaced=replaced)
    sys.stdout.flush()
    os._exit(0)  # threads that a test has left behind must not keep the process


if __name__ == "__main__":
    main(sys.argv[1])
