# SPDX-License-Identifier: Apache-2.0
"""The hook whatever surrounds pip: ways to start it, environments, homes, plants, threads, other users of TLS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile

import pytest
from toolkit import wheels

#: An old pip and a new one, on Python 2 and 3.
PAIRS = [("2.7", "8.1.2"), ("2.7", "20.3.4"), ("3.6", "9.0.3"), ("3.13", "25.1.1")]
DOWNLOAD = ("download", "--no-deps", "--dest", "downloads", "tb-sample")
WHO = """
import sys
sys.argv = ["/usr/bin/pip"]
try:
    import pip._vendor.urllib3.util.ssl_ as module
except ImportError:  # up to pip 9.0.1 it is below requests
    import pip._vendor.requests.packages.urllib3.util.ssl_ as module
print(module.SSLContext.__module__.split(".")[0])
"""
RUNPY = "import runpy, sys; sys.argv[0] = 'pip'; runpy.run_module('pip', run_name='__main__', alter_sys=True)"
SCRIPT = """\
import re, sys
try:
    from pip._internal.cli.main import main
except ImportError:
    from pip import main
sys.exit(main())
"""


@pytest.fixture(params=PAIRS, ids="-".join)
def installation(request, make):
    version, pip_version = request.param
    return make(version).add_pip(pip_version).add_module().add_hook()


def test_every_way_to_start_pip_reaches_the_module(installation, pip):
    script = installation.root / "bin" / "pip3"
    script.write_text(SCRIPT, encoding="ascii")
    for start in ((str(script),), ("-c", RUNPY), ("-O", "-m", "pip"), ("-OO", "-s", "-u", "-m", "pip")):
        run = pip(installation, *DOWNLOAD, start=start)
        assert run.code == 0, (start, run.err)
        assert len(run.traced) == run.connections > 0, start


@pytest.mark.parametrize("flags, module", [(["-E"], "_tls_bootstrap"), (["-I"], "_tls_bootstrap"), (["-S"], "ssl")])
def test_interpreter_flags(installation, pip, flags, module):
    """-E and -I ignore the trace's variable too; -S has no site-packages, so no hook."""
    if flags == ["-I"] and installation.major == 2:
        pytest.skip("Python 2 has no -I")
    # pip imports `site`, which does on Python 2 what -S left out: pip 8 before its HTTP stack, 20 behind it.
    late = flags == ["-S"] and installation.major == 2
    if late and (installation.site / "pip" / "req").is_dir():
        module = "_tls_bootstrap"
    way = {"PYTHONPATH": str(installation.site)} if flags == ["-S"] else {}
    done = installation.run(*flags, "-c", WHO, environment=way)
    if flags == ["-S"] and installation.major == 3 and (installation.site / "pip" / "req").is_dir():
        # pip 9 wants the user's site directory, which is None there.
        installation.remove_hook()
        assert (done.stdout, done.stderr) == ("", installation.run(*flags, "-c", WHO, environment=way).stderr)
        assert "pip/locations.py" in done.stderr
        return
    assert done.stdout.strip() == module, done.stderr
    settings = ("--index-url", pip.index.url, "--cert", str(pip.index.authority))
    run = pip(installation, DOWNLOAD[0], *settings, *DOWNLOAD[1:], start=(*flags, "-m", "pip"), environment=way)
    assert run.code == 0, run.err
    assert run.connections > 0
    if not late:
        assert run.traced == []


@pytest.mark.parametrize("version, pip_version", PAIRS)
def test_a_pip_in_a_zip_is_reached(make, pip, version, pip_version):
    """Of a wheel, by the path of it and along sys.path; in one that is a program itself, as pip.pyz is."""
    installation = make(version).add_module().add_hook()
    wheel = wheels.path(f"pip=={pip_version}")
    pip(installation, *DOWNLOAD, start=(f"{wheel}/pip",)).assert_all_ours()
    pip(installation, *DOWNLOAD, environment={"PYTHONPATH": str(wheel)}).assert_all_ours()
    program = installation.root / "pip.pyz"
    shutil.copyfile(wheel, program)
    with zipfile.ZipFile(program, "a") as archive:
        archive.writestr("__main__.py", RUNPY)
    pip(installation, *DOWNLOAD, start=(str(program),)).assert_all_ours()


HOSTILE = {
    "PYTHONWARNINGS": "ignore::DeprecationWarning",
    "PYTHONOPTIMIZE": "2",
    "PYTHONCASEOK": "1",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUNBUFFERED": "1",
    "LC_ALL": "C",
    "LANGUAGE": "xx",
    "OPENSSL_CONF": "/no/such/file",
    "OPENSSL_MODULES": "/no/such/directory",
    "SSL_CERT_FILE": "/no/such/file",
    "SSL_CERT_DIR": "/no/such/directory",
    "LD_BIND_NOW": "1",
    "TLS_BOOTSTRAP_PIP": "yes please",
    "TLS_BOOTSTRAP_UNKNOWN": "1",
}


def test_hostile_variables_change_nothing(installation, pip):
    pip(installation, *DOWNLOAD, environment=HOSTILE).assert_all_ours()


@pytest.mark.parametrize("version, pip_version", [("2.7", "20.3.4"), ("3.6", "20.3.4")])
def test_a_key_log_that_cannot_be_written_is_no_reason_to_fail(make, pip, version, pip_version):
    """`ssl` of these versions knows no key log, so pip's own result may not depend on it."""
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    log = installation.root / "keys"
    pip(installation, "-v", *DOWNLOAD, environment={"SSLKEYLOGFILE": str(log)}).assert_all_ours()
    assert log.stat().st_size > 0
    run = pip(installation, "-v", *DOWNLOAD, environment={"SSLKEYLOGFILE": "/no/such/directory/file"})
    run.assert_none_ours()
    assert "pip goes on with ssl: Unusable: SSLKEYLOGFILE=/no/such/directory/file cannot be written" in run.err


@pytest.mark.parametrize("trace", ["/dev/full", "/", "/no/such/directory/trace", "/dev/null"])
def test_a_trace_that_cannot_be_written_does_not_disturb_pip(installation, pip, trace):
    run = pip(installation, *DOWNLOAD, environment={"TLS_BOOTSTRAP_TRACE": trace})
    assert run.code == 0 and run.connections > 0, run.err


def test_without_a_home(installation, pip):
    command = ["env", "-u", "HOME", str(installation.python), "-m", "pip", *DOWNLOAD]
    trace = installation.root / "trace"
    settings = {"TLS_BOOTSTRAP_TRACE": str(trace), "PIP_INDEX_URL": pip.index.url, "PIP_CERT": str(pip.index.authority)}
    variables = {**installation.variables(), **settings}
    done = subprocess.run(command, env=variables, cwd=installation.root, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert trace.read_text(encoding="ascii").count("exporter") > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="sudo makes its program root")
def test_a_plant_in_a_home_that_sudo_kept_is_not_loaded(installation, pip):
    """Root with a user's HOME: that user's site directory is on root's sys.path, and must not decide what is loaded."""
    home = installation.root / "home"
    user = home / ".local" / "lib" / installation.site.parent.name / "site-packages"
    user.mkdir(parents=True)
    marker = installation.root / "planted"
    for name in ("_tls_bootstrap", "_tls_bootstrap_pip", "_tls_bootstrap_pip_finder"):
        (user / f"{name}.py").write_text(f"open({str(marker)!r}, 'a').write(__name__)\n", encoding="ascii")
    for path in (home, *home.rglob("*")):
        os.chown(path, 65534, 65534)
    sudo = {"HOME": str(home), "SUDO_UID": "65534", "SUDO_GID": "65534", "SUDO_USER": "nobody", "SUDO_COMMAND": "pip"}
    done = installation.run("-c", "import sys; print(any('.local' in path for path in sys.path))", environment=sudo)
    assert done.stdout.strip() == "True"
    pip(installation, *DOWNLOAD, environment=sudo).assert_all_ours()
    assert not marker.exists()


def test_a_slow_import_is_waited_for(installation, pip):
    # The sleep is the fault that is planted: nothing in the test waits by it.
    with open(installation.site / "_tls_bootstrap" / "__init__.py", "a", encoding="utf-8") as init:
        init.write("\nimport time\ntime.sleep(2)\n")
    pip(installation, *DOWNLOAD).assert_all_ours()


THREADS = """
import importlib, sys, threading
parent, sys.argv = sys.argv[1], ["/usr/bin/pip"]
# pip's six looks for these while others import them, and CPython then waits for ever, without any hook too.
if sys.version_info[0] > 2:
    import http.client as client, urllib.request, xmlrpc.client
else:
    import httplib as client, urllib2, xmlrpclib
import pip._vendor
start, failures = threading.Event(), []

def load(name):
    start.wait()
    try:
        __import__(name)
    except Exception as error:
        failures.append("%s: %r" % (name, error))

# Not urllib3 and a part of it: those can meet in importlib's own deadlock, without a hook too (see the next test).
names = [parent + ".urllib3", "pip._vendor.requests", "ftplib", "imaplib", "poplib"]
threads = [threading.Thread(target=load, args=(name,)) for name in names * 4]
for thread in threads:
    thread.start()
start.set()
for thread in threads:
    thread.join()
import ftplib, imaplib
ssl_, connection = [importlib.import_module(parent + ".urllib3" + part) for part in (".util.ssl_", ".connection")]
print(failures, ssl_.SSLContext.__module__, connection.ssl.__name__, ftplib.ssl.__name__, imaplib.ssl.__name__, client.ssl.__name__)
"""


def test_threads_that_import_at_once(installation):
    """Whoever comes first: pip's stack has ours, everybody else `ssl`, and nobody fails."""
    vendored = (installation.site / "pip" / "_vendor" / "urllib3").is_dir()  # from pip 9.0.2 on
    for _ in range(3):
        done = installation.run("-c", THREADS, "pip._vendor" if vendored else "pip._vendor.requests.packages")
        assert done.returncode == 0, done.stderr
        words = done.stdout.replace("'", "").replace("(", "").replace(")", "").replace(",", "").split()
        assert words == ["[]", "_tls_bootstrap", "_tls_bootstrap", "ssl", "ssl", "ssl"], done.stdout


MEETING = """
import _frozen_importlib, faulthandler, json, sys, threading
import http.client, urllib.request, xmlrpc.client
faulthandler.dump_traceback_later(60, exit=True)
where, sys.argv = sys.argv[1], ["/usr/bin/pip"]
import pip._vendor
STACK = "pip._vendor.urllib3"
failures, seen, change = {}, set(), threading.Condition()

def first_time(name):
    with change:
        known = name in seen
        seen.add(name)
        change.notify_all()
    return not known

def wait_for(name):
    with change:
        assert change.wait_for(lambda: name in seen, 60)

def wait_until_blocked(thread, name):
    "Until it waits for the lock of the module `name` that the calling thread holds, or ends; importlib tells nobody."
    poll = threading.Event()
    while thread.is_alive():
        locks = _frozen_importlib._blocking_on.get(thread.ident) or ()
        for lock in locks if isinstance(locks, (list, tuple)) else [locks]:
            if lock.name == name and lock.owner == threading.get_ident():
                return
        poll.wait(0.001)

def load(name, after=None):
    if after:
        wait_for(after)
    try:
        __import__(name)
    except Exception as error:
        failures[name.rpartition(".")[2]] = type(error).__name__

def meet(name, other_name):
    global one, other
    one = threading.Thread(target=load, args=(name,))
    other = threading.Thread(target=load, args=(other_name, name))
    for thread in (other, one):
        thread.start()
    for thread in (other, one):
        thread.join()

class Slow:
    "Loads a module for the thread that imports it first, and waits at one moment until the other thread waits for it."
    def __init__(self, name, moment, lock=None):
        self.name, self.moment, self.lock = name, moment, lock or name
        sys.meta_path.insert(sys.meta_path.index(_frozen_importlib.BuiltinImporter), self)

    def find_spec(self, name, path=None, target=None):
        if name == self.name and first_time("found"):
            spec = PathFinder.find_spec(name, path)
            self.go_on = getattr(spec.loader, self.moment)
            setattr(spec.loader, self.moment, self.wait)
            return spec

    def wait(self, subject):
        first_time(self.lock)
        wait_until_blocked(other, self.lock)
        import sched  # any that was not there yet
        return self.go_on(subject)

PathFinder = sys.modules["_frozen_importlib_external"].PathFinder
assert not {"importlib.machinery", "sched"} & set(sys.modules)
if where == "machinery":
    Slow("importlib.machinery", "exec_module")
    meet("importlib.machinery", STACK)
elif where == "module":
    Slow("_tls_bootstrap._errors", "exec_module", "_tls_bootstrap")
    meet("_tls_bootstrap", STACK)
elif where == "package":
    Slow(STACK, "create_module")
    meet(STACK, STACK + ".util.ssl_")
else:
    import pip._vendor.urllib3
    meet(STACK + ".right", STACK + ".left")
import pip._vendor.requests, pip._vendor.urllib3.connection as connection, pip._vendor.urllib3.util.ssl_ as ssl_
print(json.dumps([failures, connection.ssl.__name__, ssl_.SSLContext.__module__.partition(".")[0]]))
"""
# Two parts that import each other.
RIGHT = """
import __main__
if __main__.first_time(__name__):
    __main__.wait_until_blocked(__main__.other, __name__)
    from .left import VALUE
elif "always" in __main__.where:
    raise ImportError("again")
"""
LEFT = """
import pip._vendor.urllib3.right
VALUE = 1
"""


@pytest.mark.parametrize("version, pip_version", [("3.6", "20.3.4"), ("3.9", "20.3.4"), ("3.13", "25.1.1")])
@pytest.mark.parametrize(
    "where, without_hook, with_hook",
    [
        ("package", {"urllib3": "_DeadlockError"}, {"urllib3": "_DeadlockError"}),
        ("parts, once", {"right": "ImportError"}, {}),
        ("parts, always", {"right": "ImportError"}, {"right": "ImportError"}),
        ("machinery", {}, {}),
        ("module", {}, {}),
    ],
    ids=["package", "parts, once", "parts, always", "machinery", "module"],
)
def test_threads_that_meet_fail_no_more_than_without_the_hook(make, version, pip_version, where, without_hook, with_hook):
    """importlib lets one of two threads that wait for each other fail. That is no reason to give the module up."""
    installation = make(version).add_pip(pip_version).add_module()
    vendored = installation.site / "pip" / "_vendor" / "urllib3"
    (vendored / "left.py").write_text(LEFT, encoding="ascii")
    (vendored / "right.py").write_text(RIGHT, encoding="ascii")
    for failures, module in ((without_hook, "ssl"), (with_hook, "_tls_bootstrap")):
        if module != "ssl":
            installation.add_hook()
        done = installation.run("-c", MEETING, where)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [failures, module, module], done.stderr


NETRC = """
import sys
sys.argv = ["/usr/bin/pip"]
import pip._vendor.requests.utils as utils
print(utils.get_netrc_auth("https://index.test/simple"))
"""


@pytest.mark.parametrize("hook", [False, True])
@pytest.mark.parametrize("version, pip_version", [("2.7", "9.0.3"), ("2.7", "20.3.4"), ("3.9", "20.3.4")])
def test_a_module_of_the_standard_library_that_pips_stack_imports_later_is_found(make, version, pip_version, hook):
    """Python 2 asks for pip._vendor.requests.netrc first, which there is not."""
    installation = make(version).add_pip(pip_version).add_module()
    if hook:
        installation.add_hook()
    netrc = installation.root / ".netrc"
    netrc.write_text("machine index.test login me password secret\n", encoding="ascii")
    netrc.chmod(0o600)
    done = installation.run("-c", NETRC)
    assert done.stdout.strip().replace("u'", "'") == "('me', 'secret')", done.stderr


NEIGHBOURS = """
import sys
sys.argv = ["/usr/bin/pip"]
sys.path.insert(0, {shelf!r})
import pip._vendor.requests
import requests, urllib3, ssl
from urllib3.util import ssl_
from pip._vendor.urllib3.util import ssl_ as pips
context = ssl.create_default_context()
print("%s %s %s" % (pips.SSLContext.__module__, ssl_.SSLContext.__module__, type(context).__module__))
"""


@pytest.mark.parametrize("version", ["2.7", "3.9"])
def test_a_keyring_backend_in_pips_process_keeps_ssl(make, version):
    """It runs inside of pip and brings its own requests: not pip's, so not ours."""
    shelf = next((make(version).add_debundled_pip("20.3.4").root / "share").rglob("*.whl"))
    installation = make(version).add_pip("20.3.4").add_module().add_hook()
    done = installation.run("-c", NEIGHBOURS.format(shelf=str(shelf)))
    assert done.stdout.split() == ["_tls_bootstrap", "ssl", "ssl"], done.stdout + done.stderr


@pytest.mark.parametrize("version", ["2.7", "3.9"])
def test_a_program_that_uses_a_debundled_pip_as_a_library_keeps_ssl(make, version):
    """As Ansible's pip module, which imports pip, or twine, which does not: their requests are their own."""
    installation = make(version).add_debundled_pip("20.3.4").add_module().add_hook()
    shelf = next((installation.root / "share").rglob("*.whl"))
    program = NEIGHBOURS.replace("/usr/bin/pip", "/usr/bin/twine").replace("import pip._vendor.requests\n", "import pip\n")
    program = program.replace("from pip._vendor.urllib3.util import ssl_ as pips", "pips = ssl_")
    done = installation.run("-c", program.format(shelf=str(shelf)))
    assert done.stdout.split() == ["ssl", "ssl", "ssl"], done.stdout + done.stderr
