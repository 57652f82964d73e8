# SPDX-License-Identifier: Apache-2.0
"""The real twine, Ansible, keyring, requests, urllib3 and truststore beside a hooked pip: they keep `ssl`.

Each handshake is counted where it is made: those of `ssl` by a spy in every process of that interpreter, those of
`_tls_bootstrap` by its trace, and all of them by the server.
"""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path

import pytest
from openssl import cache
from toolkit import tools
from toolkit.pip_matrix.files import make_wheel
from toolkit.pip_matrix.installations import link, programs

PINNED = Path(__file__).with_name("neighbours") / "3.11.txt"
VERSION = "3.11"  # their wheels are for it
pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or VERSION not in programs(), reason=f"the pinned wheels are for x86_64 and Python {VERSION}"
)
SPY = """
import os, ssl

def counted(do_handshake):
    def handshake(self, *words):
        with open({place!r}, "a") as stream:
            stream.write("%d\\n" % os.getpid())
        return do_handshake(self, *words)
    return handshake

for kind in (ssl.SSLSocket, ssl.SSLObject):
    kind.do_handshake = counted(kind.do_handshake)
"""


def neighbours() -> Path:
    def make(directory: str) -> None:
        command = [str(programs()[VERSION]), "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:"]
        tools.run_quietly([*command, "--require-hashes", "--target", directory, "-r", str(PINNED)], f"installing {PINNED.name}")

    return Path(cache.entry("pip-neighbours", cache.key_of(PINNED.read_bytes()), make))


class Neighbourhood:
    """An installation with pip, the hook, the neighbours and the spy."""

    def __init__(self, installation, index) -> None:
        self.installation, self.index = installation, index
        shutil.copytree(neighbours(), installation.site, copy_function=link, dirs_exist_ok=True)
        installation.add_pip("25.1.1").add_module().add_hook()
        self.spied = installation.root / "spied"
        (installation.site / "spy.py").write_text(SPY.format(place=str(self.spied)), encoding="ascii")
        (installation.site / "spy.pth").write_text("import spy\n", encoding="ascii")

    def run(self, *words, environment=None):
        """Run the interpreter; (finished process, handshakes by `ssl`, by `_tls_bootstrap`). The server must agree."""
        trace = self.installation.root / "trace"
        for path in (trace, self.spied):
            path.unlink(missing_ok=True)
        before = self.index.connections
        variables = {
            "TLS_BOOTSTRAP_TRACE": str(trace), "PIP_INDEX_URL": self.index.url, "PIP_CERT": str(self.index.authority),
            "INDEX": self.index.url, "AUTHORITY": str(self.index.authority), **(environment or {}),
        }
        done = self.installation.run(*words, environment=variables)
        assert done.returncode == 0, done.stdout + done.stderr
        by_ssl, ours = (path.read_text().splitlines() if path.exists() else [] for path in (self.spied, trace))
        assert len(by_ssl) + len(ours) == self.index.connections - before > 0
        return done, len(by_ssl), len(ours)


@pytest.fixture
def neighbourhood(make, index):
    return Neighbourhood(make(VERSION), index)


IN_ONE_PROCESS = """
import os, sys
index, authority = os.environ["INDEX"] + "/tb-sample/", os.environ["AUTHORITY"]
sys.argv = ["/usr/bin/pip", "download", "--no-deps", "--dest", "downloads", "tb-sample"]
{first}
import requests, ssl, truststore, urllib3
assert requests.get(index, verify=authority).status_code == 200
assert urllib3.PoolManager(ca_certs=authority).request("GET", index).status == 200
context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(authority)
assert urllib3.PoolManager(ssl_context=context).request("GET", index).status == 200
truststore.inject_into_ssl()
assert isinstance(ssl.create_default_context(), truststore.SSLContext)
assert requests.Session().get(index, verify=authority).status_code == 200
{last}
"""
PIP = "from pip._internal.cli.main import main; assert main() == 0"


@pytest.mark.parametrize("order", ["pip first", "pip last"])
def test_requests_urllib3_and_truststore_in_pips_own_process(neighbourhood, order):
    program = IN_ONE_PROCESS.format(**{"first": "", "last": "", order.split()[1]: PIP})
    _, by_ssl, ours = neighbourhood.run("-c", program)
    assert by_ssl == 4
    assert ours > 0


def test_the_spy_counts_pip_too_where_the_hook_is_switched_off(neighbourhood):
    """The control: without the hook nothing of it is ours."""
    program = IN_ONE_PROCESS.format(first=PIP, last="")
    _, by_ssl, ours = neighbourhood.run("-c", program, environment={"TLS_BOOTSTRAP_PIP": "0"})
    assert by_ssl > 4 and ours == 0


TWINE_AFTER_PIP = """
import sys
wheel, url, authority = sys.argv[1:]
sys.argv = ["/usr/bin/pip", "download", "--no-deps", "--dest", "downloads", "tb-sample"]
from pip._internal.cli.main import main
assert main() == 0
from twine.cli import dispatch
dispatch(["upload", "--disable-progress-bar", "--cert", authority, "--repository-url", url, "-u", "user", "-p", "x", wheel])
"""


def test_twine(neighbourhood):
    name, data = make_wheel("tb-upload")
    wheel = neighbourhood.installation.root / name
    wheel.write_bytes(data)
    url = neighbourhood.index.url.replace("/simple", "/legacy/")
    options = ["--disable-progress-bar", "--cert", neighbourhood.index.authority, "--repository-url", url, "-u", "user", "-p", "x"]
    _, by_ssl, ours = neighbourhood.run("-m", "twine", "upload", *options, wheel)
    assert (by_ssl > 0, ours) == (True, 0)
    assert neighbourhood.index.requests[-1] == "/legacy/"
    _, by_ssl, ours = neighbourhood.run("-c", TWINE_AFTER_PIP, wheel, url, neighbourhood.index.authority)
    assert by_ssl > 0 and ours > 0
    assert neighbourhood.index.requests[-1] == "/legacy/"


def ansible(neighbourhood, module, arguments):
    root, python = neighbourhood.installation.root, neighbourhood.installation.python
    words = ["-m", "ansible", "adhoc", "localhost", "-c", "local", "-m", module, "-a", json.dumps(arguments)]
    environment = {"ANSIBLE_HOME": str(root / "ansible"), "ANSIBLE_PYTHON_INTERPRETER": str(python), "ANSIBLE_NOCOLOR": "1"}
    return neighbourhood.run(*words, environment=environment)


def test_ansibles_own_downloads(neighbourhood):
    index = neighbourhood.index
    done, by_ssl, ours = ansible(neighbourhood, "uri", {"url": f"{index.url}/tb-sample/", "ca_path": str(index.authority)})
    assert (by_ssl, ours) == (1, 0), done.stdout


def test_the_pip_that_ansibles_module_starts_is_pip(neighbourhood):
    """The module's process, which looks for pip and imports none of it, keeps `ssl`; the pip that it starts does not."""
    done, by_ssl, ours = ansible(neighbourhood, "pip", {"name": "tb-sample", "extra_args": "--no-deps --no-cache-dir"})
    assert "CHANGED" in done.stdout
    assert by_ssl == 0 and ours > 0
    assert (neighbourhood.installation.site / "tb_sample.py").exists()


BACKEND = """
import os, requests
from keyring.backend import KeyringBackend

class FromAService(KeyringBackend):
    '''Asks a service for the password, as those of cloud providers do.'''
    priority = 9

    def set_password(self, service, username, password):
        pass

    def get_password(self, service, username):
        answer = requests.get(os.environ["SERVICE"], verify=os.environ["SERVICE_AUTHORITY"])
        return "secret" if answer.status_code == 200 else None

    def get_credential(self, service, username):
        from keyring.credentials import SimpleCredential
        return SimpleCredential("user", self.get_password(service, "user"))
"""


def test_a_keyring_backend_that_pip_imports(neighbourhood, tmp_path):
    """pip asks keyring in its own process, and the backend asks a service by requests and `ssl`."""
    index = neighbourhood.index
    (neighbourhood.installation.site / "from_a_service.py").write_text(BACKEND, encoding="ascii")
    environment = {
        "PIP_KEYRING_PROVIDER": "import", "PYTHON_KEYRING_BACKEND": "from_a_service.FromAService",
        "SERVICE": f"{index.url}/tb-sample/", "SERVICE_AUTHORITY": str(index.authority),
    }
    with type(index)(tmp_path, dict([make_wheel("tb-guarded")])) as guarded:
        guarded.password = "secret"
        words = ["download", "--no-deps", "--no-input", "--dest", "downloads", "--cert", guarded.authority, "-i", guarded.url]
        before = len(index.requests)
        trace = neighbourhood.installation.root / "trace"
        spied = neighbourhood.spied
        done = neighbourhood.installation.run(
            "-m", "pip", *words, "tb-guarded", environment={**environment, "TLS_BOOTSTRAP_TRACE": str(trace)}
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(trace.read_text().splitlines()) == guarded.connections > 0
    # The service was asked over `ssl`, by the same process.
    asked = len(index.requests) - before
    assert asked > 0
    assert len(spied.read_text().splitlines()) == asked
    pids = {json.loads(line)["pid"] for line in trace.read_text().splitlines()}
    assert pids == set(map(int, spied.read_text().split()))
