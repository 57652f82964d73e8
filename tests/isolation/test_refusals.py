# SPDX-License-Identifier: Apache-2.0
"""What cannot or must not be used is refused in one line, before the loader touches the file."""

import os
import shutil
import sys

import pytest

import _tls_bootstrap as tls
from processes import TREE, check_python, run_python

CORE_NAME = os.path.basename(tls._core.__file__)
PY2 = sys.version_info[0] == 2

#: Prints the ImportError, and whether the file was mapped by then.
TRY_IMPORT = """
import os
try:
    import _tls_bootstrap
except ImportError as error:
    with open("/proc/self/maps") as maps:
        mapped = [line for line in maps if os.path.basename(line.strip()).startswith("_core")]
    print(str(error))
    print("mapped" if mapped else "untouched")
    sys.exit(3)
"""


@pytest.fixture
def copy(tmpdir):
    """A copy of the package that a test may damage; its directory and its core."""
    package = os.path.join(str(tmpdir), "_tls_bootstrap")
    # Without byte code: the interpreters that are tested at the same time write theirs in there.
    shutil.copytree(os.path.join(TREE, "_tls_bootstrap"), package, ignore=shutil.ignore_patterns("*.pyc", "__pycache__"))
    return str(tmpdir), os.path.join(package, CORE_NAME)


def refusal(tree, **keywords):
    """(the ImportError's one line, "mapped" or "untouched")."""
    result = run_python(TRY_IMPORT, tree=tree, **keywords)
    assert result.status == 3, "status %d: %s%s" % result
    text, state = result.output.splitlines()
    return text, state


def lengths(size):
    """Twenty lengths: the ends of the parts of an ELF file, and places between."""
    start = [0, 1, 3, 4, 16, 51, 52, 63, 64, 100, 1000, 4095, 4096, 4097]
    return start + [size // 10, size // 3, size // 2, size - 4097, size - 65, size - 1]


@pytest.mark.parametrize("which", range(20))
def test_a_truncated_core_is_refused_before_it_is_loaded(copy, which):
    with open(copy[1], "r+b") as stream:
        stream.seek(0, 2)
        stream.truncate(lengths(stream.tell())[which])
    text, state = refusal(copy[0])
    assert copy[1] in text and "reinstall" in text
    assert state == "untouched"


@pytest.mark.parametrize("machine, name", [(183, "aarch64"), (62, "x86_64"), (21, "ppc64le"), (22, "s390x")])
def test_a_core_of_another_architecture(copy, machine, name):
    if os.uname()[4] == name:
        machine = 243  # this machine's own: RISC-V instead
    with open(copy[1], "r+b") as stream:
        stream.seek(18)
        stream.write(bytearray([machine & 255, machine >> 8]))
    text, state = refusal(copy[0])
    assert "is for another machine (ELF machine %d" % machine in text and "reinstall" in text
    assert state == "untouched"


def test_a_core_of_the_other_python(copy):
    other = os.path.join(os.path.dirname(TREE), "py3" if PY2 else "py2", "_tls_bootstrap", "_core.abi3.so" if PY2 else "_core.so")
    if not os.path.exists(other):
        pytest.skip("%s is not built" % other)
    shutil.copyfile(other, copy[1])
    text, _ = refusal(copy[0])
    assert copy[1] in text and "cannot be loaded by this Python" in text and "reinstall" in text


def test_an_import_that_failed_can_be_tried_again(copy):
    os.rename(copy[1], copy[1] + ".away")
    code = (
        "import os\n"
        "for _ in range(2):\n"
        "    try: import _tls_bootstrap; raise SystemExit('imported')\n"
        "    except ImportError as error: assert 'is missing' in str(error)\n"
        "assert [name for name in sys.modules if name == '_tls_bootstrap'] == []\n"
        "os.rename(sys.argv[3] + '.away', sys.argv[3])\n"
        "import _tls_bootstrap\n"
        "print(_tls_bootstrap.OPENSSL_VERSION)\n"
    )
    assert check_python(code, [copy[1]], tree=copy[0]) == tls.OPENSSL_VERSION


only_bundled = pytest.mark.skipif(tls._core.flavour != "bundled", reason="only the bundled OpenSSL is not validated")

#: As a kernel in FIPS mode reports it: another file stands for the one in /proc, which nobody can write.
FIPS_KERNEL = """
import io, os
real_open = open
def open_for_kernel(path, *arguments):
    if path == "/proc/sys/crypto/fips_enabled":
        return io.BytesIO(b"%s\\n")
    return real_open(path, *arguments)
try:
    import builtins
except ImportError:
    import __builtin__ as builtins
builtins.open = open_for_kernel
"""


@only_bundled
@pytest.mark.parametrize("seam", [None, "0", "", "no"])
def test_a_kernel_in_fips_mode_is_obeyed_whatever_the_environment_says(seam):
    environment = dict((name, value) for name, value in os.environ.items() if name != "PYTHONPATH")
    if seam is not None:
        environment["TLS_BOOTSTRAP_ASSUME_FIPS"] = seam
    result = run_python(FIPS_KERNEL % "1" + TRY_IMPORT, environment=environment)
    assert result.status == 3, result.errors
    text = result.output.splitlines()[0]
    assert "FIPS mode" in text and "install the system flavour" in text


@only_bundled
def test_a_kernel_outside_fips_mode_is_no_obstacle():
    assert run_python(FIPS_KERNEL % "0" + TRY_IMPORT).status == 0


@only_bundled
def test_the_seam_can_only_refuse():
    environment = dict(os.environ, TLS_BOOTSTRAP_ASSUME_FIPS="1")
    text, _ = refusal(TREE, environment=environment)
    assert "FIPS mode" in text
    # Under -E the environment says nothing.
    assert run_python(TRY_IMPORT, options=["-E"], environment=environment).status == 0


@pytest.mark.skipif(tls._core.flavour == "bundled", reason="the distribution's OpenSSL knows by itself what FIPS mode asks for")
def test_the_system_flavour_leaves_fips_mode_to_the_distribution():
    environment = dict(os.environ, TLS_BOOTSTRAP_ASSUME_FIPS="1")
    assert run_python(FIPS_KERNEL % "1" + TRY_IMPORT, environment=environment).status == 0
