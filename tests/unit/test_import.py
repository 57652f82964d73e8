# SPDX-License-Identifier: Apache-2.0
"""Importing the package: what it needs, what it leaves alone, and how it fails."""

import ast
import os
import shutil
import sys

import pytest

import _tls_bootstrap as tls
from authority import read_file, write_file
from children import TREE, check_python, run_python

CORE_NAME = os.path.basename(tls._core.__file__)

TRY_IMPORT = """
import sys
try:
    import _tls_bootstrap
except ImportError as error:
    sys.stdout.write(str(error))
    sys.exit(3)
"""


def test_the_standard_librarys_ssl_is_not_imported():
    output = check_python(
        # 2.7's socket module imports _ssl by itself.
        "import sys, socket\n"
        "before = set(sys.modules)\n"
        "import _tls_bootstrap\n"
        "for name in dir(_tls_bootstrap): getattr(_tls_bootstrap, name)\n"
        "_tls_bootstrap.create_default_context()\n"
        "print([n for n in ('ssl', '_ssl') if n in sys.modules and n not in before])"
    )
    assert output == "[]"


def test_no_codec_is_imported(monkeypatch):
    # Under another locale the start of 2.7 may have imported it already.
    monkeypatch.setenv("LC_ALL", "C")
    output = check_python(
        "import sys\n"
        "before = set(sys.modules)\n"
        "import _tls_bootstrap as tls\n"
        "tls.SSLSocket, tls.SSLContext, tls.CERT_REQUIRED\n"
        "print(sorted(name for name in set(sys.modules) - before if name.startswith('encodings')))"
    )
    assert output == "[]"


def imported_modules(path):
    """The modules that a file imports by absolute name."""
    for node in ast.walk(ast.parse(read_file(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_no_part_has_the_name_of_a_module_that_a_part_imports():
    # 2.7 would find the part: no file has absolute_import of __future__, a module that Python 3 would load for nothing.
    place = os.path.dirname(tls._core.__file__)
    parts = set(name.partition(".")[0] for name in os.listdir(place))
    found = [(name, module) for name in sorted(os.listdir(place)) if name.endswith(".py")
             for module in imported_modules(os.path.join(place, name))]  # fmt: skip
    assert ("_loader.py", "os") in found
    assert [pair for pair in found if pair[1] in parts or pair[1] == "__future__"] == []


def test_it_works_on_a_python_without_ssl(certificates):
    output = check_python(
        "import sys\n"
        "sys.modules['_ssl'] = sys.modules['ssl'] = None\n"
        "import _tls_bootstrap as tls\n"
        "a, b = tls.MemoryBIO(), tls.MemoryBIO()\n"
        "c = tls.create_default_context(cafile=sys.argv[1]).wrap_bio(a, b, server_hostname='localhost')\n"
        "s = tls.create_default_context(tls.Purpose.CLIENT_AUTH)\n"
        "s.load_cert_chain(sys.argv[2], sys.argv[3])\n"
        "s = s.wrap_bio(b, a, server_side=True)\n"
        "for end in (c, s, c, s):\n"
        "    try: end.do_handshake()\n"
        "    except tls.SSLWantReadError: pass\n"
        "s.write(b'works')\n"
        "print(c.read(100).decode('ascii'))",
        [certificates.authority.certificate] + list(certificates.localhost),
    )
    assert output == "works"


def test_both_live_in_one_process():
    pytest.importorskip("ssl", reason="this Python has no ssl that it could live with")
    output = check_python(
        "import ssl, _tls_bootstrap as tls\n"
        "assert ssl.SSLContext is not tls.SSLContext\n"
        "ssl.SSLContext(ssl.PROTOCOL_SSLv23); tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)\n"
        "print(tls.OPENSSL_VERSION)"
    )
    assert output == tls.OPENSSL_VERSION


@pytest.mark.skipif(sys.version_info[0] == 2, reason="2.7 has no __spec__, and sets __file__ each time")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_core_that_is_loaded_again_as_by_python_3_4(elsewhere):
    output = check_python(
        "import sys, _tls_bootstrap as tls\n"
        "core = tls._core\n"
        "for name in [name for name in sys.modules if name.startswith('_tls_bootstrap') and name != core.__name__]:\n"
        "    del sys.modules[name]\n"
        "del core.__file__\n"
        "if %r: core.__spec__.origin += '.other'\n"
        "try: import _tls_bootstrap\n"
        "except ImportError as error: print(str(error).split(';')[0].split()[2:])\n"
        "else: print(_tls_bootstrap is not tls and _tls_bootstrap._core is core)" % elsewhere
    )
    if elsewhere:
        assert "'was', 'loaded', 'in', 'the', 'place', 'of'" in output
    else:
        assert output == "True"


def refusal(tree):
    """The ImportError's text; anything else, above all a signal, fails the test."""
    result = run_python(TRY_IMPORT, tree=tree)
    assert result.status == 3, "status %d: %s%s" % result
    assert "\n" not in result.output
    return result.output


def test_an_intact_copy_is_accepted(copy):
    assert run_python(TRY_IMPORT, tree=copy[0]).status == 0


def test_a_missing_core(copy):
    os.unlink(copy[1])
    text = refusal(copy[0])
    assert copy[1] in text and "is missing" in text and "reinstall" in text


@pytest.mark.parametrize("fraction", [0.0, 1e-6, 0.00001, 0.001, 0.1, 0.5, 0.9, 0.999, 0.999999])
def test_a_truncated_core(copy, fraction):
    data = read_file(copy[1])
    length = int(len(data) * fraction)
    write_file(copy[1], data[:length])
    text = refusal(copy[0])
    assert copy[1] in text and "reinstall" in text


def test_a_core_with_a_hole_at_its_end_is_not_mapped(copy):
    data = read_file(copy[1])
    for missing in (1, 64, 4096):
        write_file(copy[1], data[:-missing])
        assert copy[1] in refusal(copy[0])


def test_a_core_that_is_no_shared_object(copy):
    for data in (b"#!/bin/sh\nexit 0\n", b"\x7fELF", b"\0" * 5000):
        write_file(copy[1], data)
        assert copy[1] in refusal(copy[0])


def patched(data, offset, value):
    changed = bytearray(data)
    changed[offset] = value
    return bytes(changed)


@pytest.mark.parametrize(
    "offset, value, what",
    [(4, 1, "32-bit"), (5, 2, "byte order"), (7, 9, "operating system"), (16, 2, "shared object"), (18, 250, "machine")],
)
def test_a_core_of_another_abi(copy, offset, value, what):
    write_file(copy[1], patched(read_file(copy[1]), offset, value))
    text = refusal(copy[0])
    assert what in text and copy[1] in text


def test_an_extension_that_is_not_ours(copy):
    import _ctypes

    shutil.copyfile(_ctypes.__file__, copy[1])
    text = refusal(copy[0])
    assert "cannot be loaded by this Python" in text and copy[1] in text


def test_the_core_of_the_other_python(copy):
    other = "_core.abi3.so" if CORE_NAME == "_core.so" else "_core.so"
    os.rename(copy[1], os.path.join(os.path.dirname(copy[1]), other))
    text = refusal(copy[0])
    assert "is missing" in text and other in text


def test_an_unreadable_core(copy):
    os.unlink(copy[1])
    os.mkdir(copy[1])
    assert copy[1] in refusal(copy[0])


@pytest.mark.skipif(tls._core.flavour != "bundled", reason="only the bundled OpenSSL is not validated")
def test_fips_mode_is_refused(monkeypatch):
    monkeypatch.setenv("TLS_BOOTSTRAP_ASSUME_FIPS", "1")
    assert "FIPS" in refusal(TREE)


@pytest.mark.skipif(sys.platform != "linux" and not sys.platform.startswith("linux"), reason="/proc is needed")
def test_import_leaves_the_process_alone():
    output = check_python(
        "import os, signal, sys, threading\n"
        "def state():\n"
        "    return (dict(os.environ), sorted(os.listdir('/proc/self/fd')), threading.active_count(),\n"
        "            [signal.getsignal(n) for n in range(1, signal.NSIG)])\n"
        "import _socket, socket\n"
        "before = state()\n"
        "import _tls_bootstrap\n"
        "print(before == state())"
    )
    assert output == "True"


def test_a_core_of_another_version_is_refused(copy):
    path = os.path.join(os.path.dirname(copy[1]), "__init__.py")
    ours = ('__version__ = "%s"' % tls.__version__).encode("ascii")
    write_file(path, read_file(path).replace(ours, b'__version__ = "99.1"'))
    text = refusal(copy[0])
    assert "is of version %s, the Python files beside it are of 99.1; reinstall" % tls.__version__ in text
