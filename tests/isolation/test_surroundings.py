# SPDX-License-Identifier: Apache-2.0
"""It works wherever an interpreter starts: under every switch, without HOME, without ssl, where nothing can be written."""

import ctypes
import os
import shutil
import sys

import pytest

from processes import TREE, check_python, run_python

PY2 = sys.version_info[0] == 2

HANDSHAKE = """
import _tls_bootstrap as tls, handshakes
print(handshakes.handshake(tls, sys.argv[3]))
"""

SWITCHES = [[], ["-E"], ["-s"], ["-S"], ["-O"], ["-OO"], ["-B"], ["-W", "error"], ["-S", "-E", "-s", "-OO"]]
if not PY2:
    SWITCHES += [["-I"], ["-I", "-S", "-OO"], ["-b", "-b"], ["-X", "dev"] if sys.version_info >= (3, 7) else ["-X", "faulthandler"]]


@pytest.mark.parametrize("switches", SWITCHES, ids=lambda words: "".join(words) or "none")
def test_every_switch_of_the_interpreter(certificates, switches):
    result = run_python(HANDSHAKE, [certificates], switches)
    assert (result.status, result.output) == (0, "TLSv1.3\n"), result.errors
    assert result.errors == ""


def test_an_empty_environment(certificates):
    # No HOME, no PATH, no locale.
    environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "LD_PRELOAD") if name in os.environ}
    assert check_python(HANDSHAKE, [certificates], environment=environment) == "TLSv1.3"


def test_a_home_that_is_not_there(certificates):
    environment = dict(os.environ, HOME="/nowhere/at/all")
    assert check_python(HANDSHAKE, [certificates], environment=environment) == "TLSv1.3"


@pytest.mark.skipif(sys.version_info[:2] == (3, 4), reason="Python 3.4 imports nothing at all in a directory that was removed")
def test_a_working_directory_that_was_removed(certificates, tmpdir):
    code = "import os; os.chdir(sys.argv[4]); os.rmdir(sys.argv[4])\n" + HANDSHAKE
    assert check_python(code, [certificates, str(tmpdir.mkdir("gone"))]) == "TLSv1.3"


def without_override():
    """Takes root's right to write what it may not (CAP_DAC_OVERRIDE) from the program that is started next."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP


def test_a_package_directory_that_cannot_be_written(certificates, tmpdir):
    package = tmpdir.join("_tls_bootstrap")
    shutil.copytree(os.path.join(TREE, "_tls_bootstrap"), str(package), ignore=shutil.ignore_patterns("*.pyc", "__pycache__"))
    before = sorted(os.listdir(str(package)))
    os.chmod(str(package), 0o555)
    code = (
        "import os\n"
        "try: open(os.path.join(sys.argv[1], '_tls_bootstrap', 'new'), 'w'); raise SystemExit('it can be written')\n"
        "except (IOError, OSError): pass\n"
        "sys.dont_write_bytecode = False\n"
    )
    try:
        output = check_python(code + HANDSHAKE, [certificates], tree=str(tmpdir), prepare=without_override)
        assert output == "TLSv1.3"
        assert sorted(os.listdir(str(package))) == before
    finally:
        os.chmod(str(package), 0o755)


def test_a_python_without_ssl_and_hashlib(certificates):
    # As an interpreter is that was built where no OpenSSL was: the extensions cannot be found.
    code = (
        "class Hidden(object):\n"
        "    names = ('_ssl', 'ssl', '_hashlib', 'OpenSSL', 'cryptography')\n"
        "    def find_module(self, name, path=None):\n"
        "        if name in self.names: raise ImportError('hidden: ' + name)\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        return self.find_module(name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "try: import _ssl; raise SystemExit('not hidden')\n"
        "except ImportError: pass\n"
    )
    assert check_python(code + HANDSHAKE, [certificates], ["-S"]) == "TLSv1.3"


@pytest.mark.skipif(sys.version_info < (3, 5), reason="before Python 3.5 there is one way to start a module")
def test_the_way_python_3_4_starts_a_module(certificates):
    # Single-phase initialisation: the loader gets a finished module, not a definition that it executes later.
    code = (
        "from importlib.machinery import ExtensionFileLoader, ModuleSpec\n"
        "from _tls_bootstrap import _core\n"
        "loader = ExtensionFileLoader('_tls_bootstrap._core', _core.__file__)\n"
        "made = loader.create_module(ModuleSpec('_tls_bootstrap._core', loader, origin=_core.__file__))\n"
        "print(hasattr(made, 'MemoryBIO'))\n"
    )
    assert check_python(code + HANDSHAKE, [certificates]) == "False\nTLSv1.3"
    forced = dict(os.environ, TLS_BOOTSTRAP_TEST_SINGLE_PHASE="1")
    assert check_python(code + HANDSHAKE, [certificates], environment=forced) == "True\nTLSv1.3"


def test_a_free_threaded_python_gets_one_clear_line():
    # No such interpreter can be assumed here: the flag that tells it is set by hand.
    code = (
        "sys.abiflags = 't'\n"
        "try: import _tls_bootstrap\n"
        "except ImportError as error: print(error)\n"
        "print([name for name in sys.modules if name.startswith('_tls_bootstrap._core')])\n"
    )
    first, rest = check_python(code).split("\n", 1)
    assert first.startswith("_tls_bootstrap: free-threaded builds of Python cannot load") and "with the GIL" in first
    assert rest == "[]"
