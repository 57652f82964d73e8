# SPDX-License-Identifier: Apache-2.0
"""The real requests, urllib3, truststore, twine, Ansible and keyring beside a hooked pip: they keep `ssl`.

Each handshake is counted where it is made: those of `ssl` by a spy in every process of that interpreter, those of
`_tls_bootstrap` by its trace, and all of them by the server. On each Python they are the last releases for it
(neighbours/VERSION.txt), and what is not for a Python or a pip is skipped with the reason.
"""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path

import pytest
from openssl import cache
from toolkit import tools
from toolkit.pip_matrix.files import make_wheel
from toolkit.pip_matrix.installations import Installation

#: Python and pip.
ROWS = [
    ("2.7", "9.0.3"), ("2.7", "20.3.4"), ("3.6", "9.0.3"), ("3.6", "21.3.1"), ("3.9", "20.3.4"),
    ("3.11", "25.1.1"), ("3.13", "25.1.1"),
]
#: The last pip of each Python: it installs the neighbours, and is beside those to whom the pip makes no difference.
LAST = dict(ROWS)
PINNED = Path(__file__).with_name("neighbours")
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the pinned wheels are for x86_64")
SPY = """
import os, ssl
inside = []  # a socket of Python 3.6 has an SSLObject within it

def counted(do_handshake):
    def handshake(self, *words):
        if not inside:
            with open(os.environ["SPIED"], "a") as stream:
                stream.write("%d\\n" % os.getpid())
        inside.append(self)
        try:
            return do_handshake(self, *words)
        finally:
            inside.pop()
    return handshake

for name in ("SSLSocket", "SSLObject"):
    if hasattr(ssl, name):  # Python 2 has no SSLObject
        kind = getattr(ssl, name)
        kind.do_handshake = counted(kind.do_handshake)
"""


def neighbours(version: str) -> Path:
    """A directory with those of this Python, from the cache."""
    pinned = PINNED / f"{version}.txt"

    def make(directory: str) -> None:
        with tempfile.TemporaryDirectory() as place:
            installer = Installation(Path(place, "python"), version).add_pip(LAST[version])
            installer.add_wheels("setuptools==44.1.1", "wheel==0.37.1")  # for what is no wheel, on 2.7 and 3.6
            command = [str(installer.python), "-m", "pip", "install", "-q", "--no-deps", "--require-hashes"]
            tools.run_quietly([*command, "--target", directory, "-r", str(pinned)], f"installing neighbours/{pinned.name}")

    return Path(cache.entry("pip-neighbours", f"{version}-{cache.key_of(pinned.read_bytes())}", make))


class Neighbourhood:
    """An installation with pip, the hook, the neighbours and the spy."""

    def __init__(self, installation: Installation, index) -> None:
        self.installation, self.index = installation, index
        installation.add_module().add_hook()
        self.shelf = neighbours(installation.version)
        (installation.site / "neighbours.pth").write_text(f"{self.shelf}\n", encoding="utf-8")
        self.trace, self.spied = installation.root / "trace", installation.root / "spied"
        (installation.site / "spy.py").write_text(SPY, encoding="ascii")
        (installation.site / "spy.pth").write_text("import spy\n", encoding="ascii")

    def run(self, *words, environment=None, servers=()):
        """Run the interpreter; (finished process, handshakes by `ssl`, by `_tls_bootstrap`). The servers must agree."""
        servers = (self.index, *servers)
        for path in (self.trace, self.spied):
            path.unlink(missing_ok=True)
        before = sum(server.connections for server in servers)
        variables = {
            "TLS_BOOTSTRAP_TRACE": str(self.trace), "SPIED": str(self.spied), "INDEX": self.index.url,
            "AUTHORITY": str(self.index.authority), "PIP_INDEX_URL": self.index.url, "PIP_CERT": str(self.index.authority),
            **(environment or {}),
        }
        done = self.installation.run(*words, environment=variables)
        assert done.returncode == 0, done.stdout + done.stderr
        by_ssl, ours = self.processes()
        assert len(by_ssl) + len(ours) == sum(server.connections for server in servers) - before > 0
        return done, len(by_ssl), len(ours)

    def processes(self):
        """(processes of the handshakes by `ssl`, by `_tls_bootstrap`) of the last run."""
        by_ssl, ours = (path.read_text().splitlines() if path.exists() else [] for path in (self.spied, self.trace))
        return [int(pid) for pid in by_ssl], [json.loads(line)["pid"] for line in ours]


def beside(rows, applies=lambda python: True, reason=""):
    """A parametrisation of `neighbourhood`; Pythons that the test does not apply to are skipped for that reason."""
    marks = {python: [] if applies(python) else [pytest.mark.skip(reason=f"n/a: {reason}")] for python in LAST}
    cells = [pytest.param(row, id=" pip ".join(row), marks=marks[row[0]]) for row in rows]
    return pytest.mark.parametrize("neighbourhood", cells, indirect=True)


@pytest.fixture
def neighbourhood(request, make, index):
    version, pip_version = request.param
    return Neighbourhood(make(version).add_pip(pip_version), index)


PIP = """
try:
    from pip._internal.cli.main import main
except ImportError:
    from pip import main
assert main() == 0
"""
IN_ONE_PROCESS = """
import os, ssl, sys
index, authority = os.environ["INDEX"] + "/tb-sample/", os.environ["AUTHORITY"]
sys.argv = ["/usr/bin/pip", "download", "--no-deps", "--dest", "downloads", "tb-sample"]
"""
FOUR_REQUESTS = """
import requests, urllib3
try:
    from urllib.request import urlopen
except ImportError:
    from urllib2 import urlopen
assert requests.get(index, verify=authority).status_code == 200
assert requests.Session().get(index, verify=authority).status_code == 200
assert urllib3.PoolManager(ca_certs=authority).request("GET", index).status == 200
assert urlopen(index, context=ssl.create_default_context(cafile=authority)).getcode() == 200
"""
TWO_BY_TRUSTSTORE = """
import requests, truststore, urllib3
context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(authority)
assert urllib3.PoolManager(ssl_context=context).request("GET", index).status == 200
truststore.inject_into_ssl()
assert isinstance(ssl.create_default_context(), truststore.SSLContext)
assert requests.Session().get(index, verify=authority).status_code == 200
"""


@beside(ROWS)
def test_requests_urllib3_and_ssl_in_pips_own_process(neighbourhood):
    for program in (PIP + FOUR_REQUESTS, FOUR_REQUESTS + PIP):
        _, by_ssl, ours = neighbourhood.run("-c", IN_ONE_PROCESS + program)
        assert by_ssl == 4
        assert ours > 0


@beside(LAST.items(), lambda python: python not in ("2.7", "3.6", "3.9"), "truststore needs Python 3.10")
def test_truststore_in_pips_own_process(neighbourhood):
    for program in (PIP + TWO_BY_TRUSTSTORE, TWO_BY_TRUSTSTORE + PIP):
        _, by_ssl, ours = neighbourhood.run("-c", IN_ONE_PROCESS + program)
        assert by_ssl == 2
        assert ours > 0


@beside(ROWS)
def test_the_spy_counts_pip_too_where_the_hook_is_switched_off(neighbourhood):
    """The control: without the hook nothing of it is ours."""
    _, by_ssl, ours = neighbourhood.run("-c", IN_ONE_PROCESS + PIP + FOUR_REQUESTS, environment={"TLS_BOOTSTRAP_PIP": "0"})
    assert by_ssl > 4 and ours == 0


TWINE_AFTER_PIP = """
import sys
wheel, url, authority = sys.argv[1:]
sys.argv = ["/usr/bin/pip", "download", "--no-deps", "--dest", "downloads", "tb-sample"]
{pip}
from twine.cli import dispatch
dispatch(["upload", "--disable-progress-bar", "--cert", authority, "--repository-url", url, "-u", "user", "-p", "x", wheel])
"""


@beside(LAST.items())
def test_twine(neighbourhood):
    name, data = make_wheel("tb-upload")
    wheel = neighbourhood.installation.root / name
    wheel.write_bytes(data)
    url = neighbourhood.index.url.replace("/simple", "/legacy/")
    options = ["--disable-progress-bar", "--cert", neighbourhood.index.authority, "--repository-url", url, "-u", "user", "-p", "x"]
    _, by_ssl, ours = neighbourhood.run("-m", "twine", "upload", *options, wheel)
    assert (by_ssl > 0, ours) == (True, 0)
    assert neighbourhood.index.requests[-1] == "/legacy/"
    _, by_ssl, ours = neighbourhood.run("-c", TWINE_AFTER_PIP.format(pip=PIP), wheel, url, neighbourhood.index.authority)
    assert by_ssl > 0 and ours > 0
    assert neighbourhood.index.requests[-1] == "/legacy/"


INSTALL = ("pip", "name=tb-sample extra_args=--no-deps")


def ansible(neighbourhood, module, arguments, host=None):
    """Run Ansible's module on this machine, by the interpreter of another installation if `host` is one."""
    root, python = neighbourhood.installation.root, (host or neighbourhood.installation).python
    # Older modules look for pip's command on PATH.
    command = python.with_name(f"pip{python.name.removeprefix('python')[0]}")
    command.write_text(f"#!{python}\n{PIP}", encoding="ascii")
    command.chmod(0o755)
    words = ["localhost", "-c", "local", "-e", f"ansible_python_interpreter={python}", "-m", module, "-a", arguments]
    environment = {"PATH": f"{python.parent}:/usr/bin:/bin", "ANSIBLE_HOME": str(root / "ansible"), "ANSIBLE_NOCOLOR": "1"}
    return neighbourhood.run(neighbourhood.shelf / "bin" / "ansible", *words, environment=environment)


@beside(LAST.items())
def test_ansibles_own_downloads(neighbourhood):
    index = neighbourhood.index
    done, by_ssl, ours = ansible(neighbourhood, "uri", f"url={index.url}/tb-sample/ ca_path={index.authority}")
    assert (by_ssl, ours) == (1, 0), done.stdout


@beside(ROWS)
def test_the_pip_that_ansibles_module_starts_is_pip(neighbourhood):
    """The module's process, which looks for pip and imports none of it, keeps `ssl`; the pip that it starts does not."""
    done, by_ssl, ours = ansible(neighbourhood, *INSTALL)
    assert "CHANGED" in done.stdout
    assert by_ssl == 0 and ours > 0
    assert (neighbourhood.installation.site / "tb_sample.py").exists()


@beside([("3.9", LAST["3.9"])])
def test_a_devendored_pip_that_ansible_starts_on_a_host_with_python_2(neighbourhood, make):
    """Ubuntu 14.04's, managed from elsewhere: to the hook `python -m pip.__main__` is pip too."""
    host = Neighbourhood(make("2.7").add_devendored_pip(), neighbourhood.index)
    done, by_ssl, ours = ansible(neighbourhood, *INSTALL, host.installation)
    assert '"pip.__main__",' in done.stdout and "CHANGED" in done.stdout
    assert by_ssl == 0 and ours > 0
    assert (host.installation.site / "tb_sample.py").exists()


BACKEND = """
import os, ssl
try:
    from urllib.request import urlopen
except ImportError:
    from urllib2 import urlopen
import requests, urllib3
from keyring.backend import KeyringBackend
from keyring.credentials import SimpleCredential

class FromAService(KeyringBackend):
    # Asks a service for the password, as those of cloud providers do, in three ways.
    priority = 9

    def set_password(self, service, username, password):
        pass

    def get_password(self, service, username):
        address, authority = os.environ["INDEX"] + "/tb-sample/", os.environ["AUTHORITY"]
        assert requests.get(address, verify=authority).status_code == 200
        assert urllib3.PoolManager(ca_certs=authority).request("GET", address).status == 200
        assert urlopen(address, context=ssl.create_default_context(cafile=authority)).getcode() == 200
        return "secret"

    def get_credential(self, service, username):
        return SimpleCredential("user", self.get_password(service, "user"))
"""


def download_by_keyring(neighbourhood, directory):
    """(handshakes by `ssl`, by `_tls_bootstrap`, connections to the service, to the index) of a download with a password."""
    index = neighbourhood.index
    (neighbourhood.installation.site / "from_a_service.py").write_text(BACKEND, encoding="ascii")
    environment = {"PIP_KEYRING_PROVIDER": "import", "PYTHON_KEYRING_BACKEND": "from_a_service.FromAService"}
    with type(index)(directory, dict([make_wheel("tb-guarded")])) as guarded:
        guarded.password = "secret"
        words = ["download", "--no-deps", "--dest", "downloads", "--cert", guarded.authority, "-i", guarded.url]
        before = index.connections
        _, by_ssl, ours = neighbourhood.run("-m", "pip", *words, "tb-guarded", environment=environment, servers=[guarded])
        assert len(set(sum(neighbourhood.processes(), []))) == 1
        return by_ssl, ours, index.connections - before, guarded.connections


@beside(ROWS)
def test_a_keyring_backend_that_pip_imports(neighbourhood, tmp_path):
    """pip asks keyring in its own process, and the backend asks a service by requests, urllib3 and `ssl`."""
    pip = neighbourhood.installation.site / "pip"
    if not any(b"import keyring" in path.read_bytes() for path in pip.rglob("*.py")):
        pytest.skip("n/a: a pip that does not know keyring")
    by_ssl, ours, asked, downloads = download_by_keyring(neighbourhood, tmp_path)
    assert by_ssl == asked >= 3
    assert ours == downloads > 0


@pytest.mark.parametrize("version", ["2.7", "3.9"])
def test_a_keyring_backend_shares_requests_and_urllib3_with_a_debundled_pip(make, index, tmp_path, version):
    """There they are the same modules, whose `ssl` is ours; what the backend does by the standard library stays with `ssl`."""
    neighbourhood = Neighbourhood(make(version).add_debundled_pip("20.3.4"), index)
    by_ssl, ours, asked, downloads = download_by_keyring(neighbourhood, tmp_path)
    assert asked == 3 * by_ssl > 0
    assert ours == 2 * by_ssl + downloads and downloads > 0
