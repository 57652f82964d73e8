# SPDX-License-Identifier: Apache-2.0
"""The standard `ssl` in pip's process is executed when somebody takes something from it, and then is what it always is."""

from __future__ import annotations

import json

import pytest

VERSIONS = ["2.7", "3.6", "3.9", "3.13"]

#: Imports pip's HTTP stack as pip itself does; `deferred()` tells whether `ssl` waits.
BEGIN = """
import sys, types
sys.argv = ["/usr/bin/pip"]
import pip._vendor.requests
import ssl
try:
    import http.client as http_client
except ImportError:
    import httplib as http_client
def deferred():
    return "PROTOCOL_TLSv1" not in vars(ssl)
assert deferred() and http_client.ssl is ssl is sys.modules["ssl"]
assert (sys.version_info[0] == 2) == ("_ssl" in sys.modules)
"""

#: Each begins with a deferred `ssl` and ends with an executed one.
USES = {
    "attribute": "ssl.PROTOCOL_SSLv23",
    "from": "from ssl import SSLContext",
    "star": "exec('from ssl import *', globals()); assert SSLContext is ssl.SSLContext",
    "dir": "assert 'SSLContext' in dir(ssl)",
    "hasattr": "assert not hasattr(ssl, 'nothing')",
    "set": "ssl.SSLContext = 7; assert vars(ssl)['SSLContext'] == 7 and deferred() == False",
    "delete": "del ssl.SSLContext; assert not hasattr(ssl, 'SSLContext')",
    "function below": "assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED",
    "https": "http_client.HTTPSConnection('localhost')",
    "reload": "(getattr(__import__('importlib'), 'reload', None) or reload)(ssl)",
}

ENDS = """
assert not deferred()
assert sys.modules["ssl"] is ssl is http_client.ssl
assert ssl.SSLError.__module__ == "ssl" or ssl.SSLError.__module__ == "_ssl", ssl.SSLError.__module__
assert isinstance(ssl, types.ModuleType) and (sys.version_info < (3, 5) or type(ssl) is types.ModuleType)
"""

LOOKS = """
import inspect, pickle, warnings
for module in list(sys.modules.values()):
    for name in ("__file__", "__path__", "__spec__", "__doc__", "__warningregistry__"):
        getattr(module, name, None)
assert ssl.__name__ == "ssl" and ssl.__file__.rpartition("/")[2].startswith("ssl.py"), ssl.__file__
assert repr(ssl).startswith("<module 'ssl' from "), repr(ssl)
assert deferred()
"""

FAILS = """
real = vars(ssl).get("__file__")
blocked = sys.modules.get("_ssl")
sys.modules["_ssl"] = None
for attempt in range(2):
    try:
        ssl.SSLContext
    except ImportError as error:
        assert "_ssl" in str(error), error
    else:
        raise SystemExit("the import did not fail")
    assert deferred() and vars(ssl)["__file__"] == real and sys.modules["ssl"] is ssl
del sys.modules["_ssl"]
if blocked:
    sys.modules["_ssl"] = blocked
assert ssl.SSLContext
"""

RACES = """
import threading
seen, start = [], threading.Event()
def use():
    start.wait()
    seen.append(ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED)
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads:
    thread.start()
start.set()
for thread in threads:
    thread.join()
assert seen == [True] * 8, seen
"""

#: What pip's process has of TLS when it has downloaded: printed when it ends.
AT_THE_END = """
import atexit, json, sys
sys.argv[0] = "/usr/bin/pip"
def tell():
    maps = open("/proc/self/maps").read()
    standard = vars(sys.modules["ssl"])
    print(json.dumps(["SSLContext" in standard, "_ssl" in sys.modules, "/libssl" in maps]))
atexit.register(tell)
try:
    from pip._internal.cli.main import main
except ImportError:
    from pip import main
sys.exit(main(sys.argv[1:]))
"""
DOWNLOAD = ("download", "--no-deps", "--dest", "downloads", "tb-sample")


def pip_for(version):
    """A pip of that Python's time."""
    return {"2.7": "9.0.3", "3.6": "9.0.3", "3.9": "20.3.4"}.get(version, "25.1.1")


@pytest.fixture
def hooked(make):
    """hooked("3.9") -> an Installation with a pip, the module and the hook."""
    return lambda version: make(version).add_pip(pip_for(version)).add_module().add_hook()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_use_executes_the_standard_ssl(hooked, version):
    installation = hooked(version)
    for name, use in USES.items():
        done = installation.run("-c", BEGIN + use + "\n" + (ENDS if name not in ("set", "delete") else "assert not deferred()"))
        assert done.returncode == 0, (name, done.stderr)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", [LOOKS, FAILS, RACES], ids=["looks", "fails", "races"])
def test_a_look_is_no_use_a_failure_can_be_repeated_and_threads_find_one_module(hooked, version, text):
    done = hooked(version).run("-c", BEGIN + text)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_a_program_that_has_pip_as_a_library_executes_ssl_at_once(hooked, version):
    text = BEGIN.partition("assert deferred()")[0].replace("/usr/bin/pip", "/usr/bin/other")
    done = hooked(version).run("-c", text + "assert not deferred()")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_without_the_module_beside_the_hook_pip_has_the_standard_ssl(make, pip, version):
    installation = make(version).add_pip(pip_for(version)).add_hook()
    pip(installation, *DOWNLOAD).assert_none_ours()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_download_needs_neither_the_standard_ssl_nor_its_openssl(hooked, pip, index, version):
    installation = hooked(version)
    run = pip(installation, *DOWNLOAD, start=("-c", AT_THE_END))
    run.assert_all_ours()
    # Python 2's `socket` imports `_ssl`.
    assert json.loads(run.out.splitlines()[-1]) == [False, version == "2.7", version == "2.7"]
    installation.remove_hook()
    plain = pip(installation, *DOWNLOAD, start=("-c", AT_THE_END))
    plain.assert_none_ours()
    assert json.loads(plain.out.splitlines()[-1]) == [True, True, True]


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_the_index_is_told_the_openssl_that_pip_uses(hooked, version):
    text = """
import sys
sys.argv = ["/usr/bin/pip"]
import pip._internal.cli.main
from pip._internal.network.session import user_agent
import _tls_bootstrap, pip._vendor.requests
assert '"openssl_version":"%s"' % _tls_bootstrap.OPENSSL_VERSION in user_agent(), user_agent()
"""
    done = hooked(version).run("-c", text)
    assert done.returncode == 0, done.stderr
