# SPDX-License-Identifier: Apache-2.0
"""An upgrade under a running program: what is imported late comes from the version that it began with, or not at all."""

import os

import pytest

import children

# replace("_x") does what a package manager does: another file under the old name.
PREAMBLE = """
import os, sys
import _tls_bootstrap as tls
place = os.path.dirname(tls._core.__file__)

def replace(*names):
    for name in names or [name[:-3] for name in os.listdir(place) if name.endswith(".py")]:
        path = os.path.join(place, name + ".py")
        with open(path) as stream:
            text = stream.read()
        with open(path + ".new", "w") as stream:
            stream.write(text.replace("Apache-2.0", "Apache-2.0 of another version") + "REPLACED = True\\n")
        os.rename(path + ".new", path)

def parts():
    return set(name for name in sys.modules if name.startswith("_tls_bootstrap.") and sys.modules[name])

def refused(action):
    before = parts()
    try:
        action()
    except ImportError as error:
        assert "was replaced while this program runs" in str(error), error
        assert parts() == before, parts() - before
        return os.path.basename(str(error).split(" was replaced")[0])
    return "not refused"
"""


@pytest.mark.parametrize(
    "name, replaced, named",
    [
        ("AlertDescription", "", "_alerts.py"),
        ("AlertDescription", "'_alerts'", "_alerts.py"),
        ("AlertDescription", "'_constants'", "_constants.py"),
        ("TLSVersion", "'_constants'", "_constants.py"),
        ("SSLSocket", "'_plain_socket'", "_plain_socket.py"),
        ("match_hostname", "'_hostname'", "_hostname.py"),
        ("AlertDescription", "'_hostname'", "not refused"),
    ],
)
def test_what_was_replaced_is_not_imported(copy, name, replaced, named):
    code = PREAMBLE + "replace(%s)\nprint(refused(lambda: tls.%s))\nprint(refused(lambda: tls.%s))" % (replaced, name, name)
    assert children.check_python(code, tree=copy[0]).split("\n") == [named, named]


@pytest.mark.parametrize(
    "change, named",
    [
        ("os.utime(path, (1, before.st_mtime + 1))", "_alerts.py"),
        ("open(path, 'a').write('#'); os.utime(path, (1, before.st_mtime))", "_alerts.py"),
        ("os.rename(path, path + '.old'); open(path, 'w').write(text); os.utime(path, (1, before.st_mtime))", "_alerts.py"),
        ("open(path, 'w').write(text); os.utime(path, (1, before.st_mtime))", "not refused"),
    ],
    ids=["another date", "another size", "another inode", "the same"],
)
def test_what_tells_a_file_from_another(copy, change, named):
    code = PREAMBLE.replace("import _tls_bootstrap as tls\n", "", 1).replace("tls._core.__file__", "sys.argv[1]") + (
        "path = os.path.join(place, '_alerts.py')\n"
        "os.utime(path, (1, 1e9))\n"  # in whole seconds, which 2.7's utime() can put back
        "before, text = os.stat(path), open(path).read()\n"
        "import _tls_bootstrap as tls\n"
        "%s\n"
        "print(refused(lambda: tls.AlertDescription))\n" % change
    )
    assert children.check_python(code, [copy[1]], tree=copy[0]) == named


def test_from_import_and_dir_tell_the_same(copy):
    code = PREAMBLE + (
        "replace('_default_paths')\n"
        "def late():\n"
        "    from _tls_bootstrap import get_default_verify_paths\n"
        "print(refused(late))\n"
        "assert 'get_default_verify_paths' in dir(tls)\n"
    )
    assert children.check_python(code, tree=copy[0]) == "_default_paths.py"


def test_the_first_context_reads_the_policy_as_the_package_did_that_was_imported(copy):
    code = PREAMBLE + "tls.SSLContext\nreplace('_policy')\nprint(refused(lambda: tls.SSLContext()))"
    assert children.check_python(code, tree=copy[0]) == "_policy.py"


def test_what_was_loaded_before_goes_on(copy, certificates):
    code = PREAMBLE + (
        "server = tls.create_default_context(tls.Purpose.CLIENT_AUTH)\n"
        "server.load_cert_chain(*sys.argv[2:])\n"
        "client = tls.create_default_context(cafile=sys.argv[1])\n"
        "replace()\n"
        "a, b = tls.MemoryBIO(), tls.MemoryBIO()\n"
        "ends = [client.wrap_bio(a, b, server_hostname='localhost'), server.wrap_bio(b, a, server_side=True)]\n"
        "for end in ends * 3:\n"
        "    try: end.do_handshake()\n"
        "    except tls.SSLWantReadError: pass\n"
        "print(ends[0].version())\n"
    )
    arguments = [certificates.authority.certificate] + list(certificates.localhost)
    assert children.check_python(code.replace("replace()", "tls.MemoryBIO\nreplace()"), arguments, tree=copy[0]) == "TLSv1.3"


def test_a_refused_certificate_is_still_told_as_such(copy, certificates):
    code = PREAMBLE + (
        "server = tls.create_default_context(tls.Purpose.CLIENT_AUTH)\n"
        "server.load_cert_chain(*sys.argv[2:])\n"
        "client = tls.create_default_context(cafile=sys.argv[1])\n"
        "a, b = tls.MemoryBIO(), tls.MemoryBIO()\n"
        "ends = [client.wrap_bio(a, b, server_hostname='localhost'), server.wrap_bio(b, a, server_side=True)]\n"
        "replace()\n"
        "try:\n"
        "    for end in ends * 3:\n"
        "        try: end.do_handshake()\n"
        "        except tls.SSLWantReadError: pass\n"
        "except tls.SSLCertVerificationError as error:\n"
        "    print(error.verify_code)\n"
    )
    arguments = [certificates.authority.certificate] + list(certificates.wrong_host)
    assert children.check_python(code, arguments, tree=copy[0]) == "62"  # X509_V_ERR_HOSTNAME_MISMATCH


def test_an_upgrade_during_the_first_import_is_refused_too(copy):
    code = PREAMBLE.replace("import _tls_bootstrap as tls\nplace = os.path.dirname(tls._core.__file__)", "place = sys.argv[1]") + (
        "class Upgrade(object):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == '_tls_bootstrap._errors':\n"
        "            replace('_errors')\n"
        "    find_module = find_spec\n"
        "sys.meta_path.insert(0, Upgrade())\n"
        "try:\n"
        "    import _tls_bootstrap\n"
        "except ImportError as error:\n"
        "    print(os.path.basename(str(error).split(' was replaced')[0]))\n"
        "sys.meta_path.pop(0)\n"
        "import _tls_bootstrap\n"
        "print(_tls_bootstrap._errors.REPLACED)\n"
    )
    place = os.path.dirname(copy[1])
    assert children.check_python(code, [place], tree=copy[0]).split("\n") == ["_errors.py", "True"]


def test_byte_code_that_appears_and_a_changed_date_of_the_directory_are_no_replacement(copy):
    code = PREAMBLE + (
        "os.mkdir(os.path.join(place, 'another'))\n"
        "open(os.path.join(place, '_alerts.py.dpkg-new'), 'w').close()\n"
        "print(refused(lambda: tls.AlertDescription))\n"
    )
    assert children.check_python(code, tree=copy[0]) == "not refused"


def test_a_file_of_somebody_else_whose_name_is_no_text(copy):
    with open(os.path.join(os.path.dirname(copy[1]).encode("ascii"), b"\xff.py"), "w"):
        pass
    assert children.check_python(PREAMBLE + "print(refused(lambda: tls.AlertDescription))", tree=copy[0]) == "not refused"
