# SPDX-License-Identifier: Apache-2.0
"""Damaged installations: pip keeps working over `ssl`, interpreters start in silence, the check explains."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from loopback import SOURCE

#: An old pip and a new one for both; None is the one that came with the interpreter.
PAIRS = [("2.7", "8.1.2"), ("2.7", "20.3.4"), ("3.6", "9.0.3"), ("3.13", None)]
DOWNLOAD = ("download", "--no-deps", "--dest", "downloads", "tb-sample")


def raises_in_c(core):
    """A C half that can be loaded and raises."""
    head = "extern void *PyExc_RuntimeError; void PyErr_SetString(void *, const char *);\n"
    body = '{ PyErr_SetString(PyExc_RuntimeError, "broken on purpose"); return 0; }'
    begin = "void *PyInit__core(void) " if core.name == "_core.abi3.so" else "void *init_core(void) "
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", core], input=(head + begin + body).encode(), check=True)


def lacks_in_c(name):
    """A C half that calls one of its methods something else."""

    def apply(core):
        data = core.read_bytes()
        assert data.count(b"\0%s\0" % name) > 0
        core.write_bytes(data.replace(b"\0%s\0" % name, b"\0X%s\0" % name[1:]))

    apply.__name__ = f"lacks {name.decode()} in C"
    return apply


def unreadable(core):
    """A link to itself: nobody can open it, root neither."""
    core.unlink()
    core.symlink_to(core.name)


def unreadable_python(core):
    unreadable(core.with_name("__init__.py"))


def half_installed(core):
    for name in ("_context.py", "_socket.py"):
        (core.parent / name).unlink()


def imports_pip(core):
    """It comes back to the hook while the hook waits for it, and then fails."""
    text = "import pip._vendor.urllib3, pip._vendor.requests\nraise RuntimeError('went in a circle')\n"
    (core.parent / "__init__.py").write_text(text, encoding="ascii")


def recurses(core):
    (core.parent / "__init__.py").write_text("def deeper():\n    deeper()\ndeeper()\n", encoding="ascii")


def remove(core):
    core.unlink()


def truncate(length):
    def apply(core):
        os.truncate(core, length if length >= 0 else core.stat().st_size + length)

    apply.__name__ = f"truncated to {length}"
    return apply


def garbage(core):
    core.write_bytes(os.urandom(100000))


def wrong_abi(core):
    """The binary of the other major version of Python under this one's name."""
    other = {"_core.so": "py3/_tls_bootstrap/_core.abi3.so", "_core.abi3.so": "py2/_tls_bootstrap/_core.so"}
    shutil.copyfile(SOURCE / "build" / other[core.name], core)


def wrong_machine(core):
    with open(core, "r+b") as stream:
        stream.seek(18)  # e_machine
        stream.write(b"\xff\x00")


def raises(core):
    (core.parent / "__init__.py").write_text("raise RuntimeError('broken on purpose')\n", encoding="ascii")


def lacks_a_name(core):
    with open(core.parent / "__init__.py", "a", encoding="ascii") as stream:
        stream.write("from . import _names\n_names.resolve = None\n")
        stream.write("import sys\nclass Lacking(object):\n    __file__ = __file__\n    SSLError = SSLError\n")
        stream.write("    SSLContext = SSLSocket = SSLObject = None\nsys.modules[__name__] = Lacking()\n")


def lacks_one_name(core):
    with open(core.parent / "__init__.py", "a", encoding="ascii") as stream:
        stream.write("del SSLContext.set_alpn_protocols\n")


FAULTS = [
    remove,
    truncate(0),
    truncate(3),
    truncate(63),
    truncate(4096),
    truncate(1000000),
    truncate(-1),
    garbage,
    wrong_abi,
    wrong_machine,
    raises,
    raises_in_c,
    *map(lacks_in_c, (b"do_handshake", b"invalidate", b"get_unverified_chain", b"_set_alpn_protocols", b"set_ciphers", b"flavour")),
    lacks_in_c(b"is_plain_hostname"),
    lacks_a_name,
    lacks_one_name,
    unreadable,
    unreadable_python,
    half_installed,
    imports_pip,
    recurses,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("version, pip_version", PAIRS)
def test_pip_keeps_working_and_tells_why_only_when_it_is_verbose(make, pip, version, pip_version, fault):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    fault(installation.core)
    if fault in (remove, raises):  # what is said does not depend on the fault
        quiet = pip(installation, *DOWNLOAD)
        quiet.assert_none_ours()
        shutil.rmtree(installation.root / "downloads")
        installation.remove_hook()
        assert quiet.err == pip(installation, *DOWNLOAD).err
        shutil.rmtree(installation.root / "downloads")
        installation.add_hook()
    verbose = pip(installation, "-v", *DOWNLOAD)
    verbose.assert_none_ours()
    said = [line for line in verbose.err.splitlines() if line.startswith("tls-bootstrap: ")]
    assert len(said) == 1
    assert said[0].startswith("tls-bootstrap: pip goes on with ssl: ")


@pytest.mark.parametrize("version, pip_version", PAIRS)
def test_a_part_of_pip_that_cannot_be_imported_over_the_module_is_imported_over_ssl(make, pip, version, pip_version):
    """What no probe foresees, deep in pip's stack: it is imported again as a whole, in silence."""
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    (part,) = installation.site.glob("pip/_vendor/**/urllib3/util/ssl_.py")
    text = part.read_text(encoding="utf-8")
    part.unlink()  # another name of a file in the cache
    refusal = "import ssl\nif ssl.__name__ == '_tls_bootstrap':\n    raise RuntimeError('not over this')\n"
    part.write_text(text + refusal, encoding="utf-8")
    verbose = pip(installation, "-v", *DOWNLOAD)
    verbose.assert_none_ours()
    assert "tls-bootstrap: pip goes on with ssl: RuntimeError: not over this" in verbose.err


@pytest.mark.parametrize("fault", [remove, truncate(4096), truncate(-1), wrong_abi, raises], ids=lambda f: f.__name__)
@pytest.mark.parametrize("version, pip_version", PAIRS)
def test_the_check_says_what_is_wrong(make, check, version, pip_version, fault):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    fault(installation.core)
    done = check("--python", installation.python)
    assert done.returncode == 2, done.stdout + done.stderr
    first = done.stdout.splitlines()[0]
    expected = "broken on purpose" if fault is raises else re.escape(installation.core.name.split(".")[0])
    assert "_tls_bootstrap cannot be used" in first
    assert re.search(expected, first)


def start_silently(installation):
    for words in (["-c", "pass"], ["-E", "-s", "-c", "pass"], ["-W", "error", "-c", "pass"]):
        done = installation.run(*words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def files_but_the_pth(installation):
    for path in sorted(installation.site.rglob("*_tls_bootstrap*")):
        if path.exists() and path.suffix != ".pth":
            yield path


@pytest.mark.parametrize("version, pip_version", [*PAIRS, ("3.9", None)])
def test_the_pth_alone_starts_every_interpreter_in_silence(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    for path in list(files_but_the_pth(installation)):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
    assert [path.name for path in installation.site.glob("_tls*")] == ["_tls_bootstrap_pip.pth"]
    start_silently(installation)
    pip(installation, *DOWNLOAD).assert_none_ours()


HOOK_FILES = ("_tls_bootstrap_pip_finder.py", "_tls_bootstrap_pip", "_tls_bootstrap_pip/__init__.py", "_tls_bootstrap_pip/stack.py")


@pytest.mark.parametrize("damage", ["missing", "unreadable"])
@pytest.mark.parametrize("version, pip_version", PAIRS)
def test_a_half_installed_hook_disturbs_neither_interpreters_nor_pip(make, pip, version, pip_version, damage):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    for name in HOOK_FILES:
        path = installation.site / name
        aside = installation.root / "aside"
        path.rename(aside)
        if damage == "unreadable":
            path.symlink_to(path.name)
        start_silently(installation)
        run = pip(installation, "-v", *DOWNLOAD)
        run.assert_none_ours()
        assert [line for line in run.err.splitlines() if line.startswith("tls-bootstrap: ")] == []
        shutil.rmtree(installation.root / "downloads")
        if damage == "unreadable":
            path.unlink()
        aside.rename(path)
    pip(installation, *DOWNLOAD).assert_all_ours()


DAMAGE = {
    "empty": b"",
    "NUL bytes": b"\0" * 500,
    "not Python": b"<<<<<<< HEAD\n",
    "cut off": b"import sys\n\n\nclass TlsBootstrapPipFinder(object):\n    def find_spec(self, na",
    "raises": b"raise ValueError('damaged')\n",
    "not UTF-8": b"# \xff\xfe\nx = '\xff'\n",
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
@pytest.mark.parametrize("version, pip_version", PAIRS)
def test_a_damaged_finder_or_hook_disturbs_neither_interpreters_nor_pip(make, pip, version, pip_version, damage):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    hook = installation.site / "_tls_bootstrap_pip" / "interception.py"
    hook.write_bytes(DAMAGE[damage])
    start_silently(installation)
    run = pip(installation, *DOWNLOAD)
    run.assert_none_ours()
    assert run.hook_lines == []
    (installation.site / "_tls_bootstrap_pip_finder.py").write_bytes(DAMAGE[damage])
    start_silently(installation)


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.9", "3.13"])
def test_a_start_of_the_interpreter_reads_no_file_of_ours_but_the_pth(make, version):
    """What is not read cannot be damaged, and costs nothing."""
    installation = make(version).add_pip().add_module().add_hook()
    for path in list(files_but_the_pth(installation)):
        if path.is_file():
            path.write_text("import sys; sys.stderr.write('read')\n", encoding="ascii")
    start_silently(installation)
    assert installation.run("-c", "import json, email.parser").stderr == ""
    assert installation.run("-c", "import pip").stderr == "read"


def damaged_byte_code(pyc):
    """Byte code for just this source that is none; what it can make of the interpreter is an exception."""
    pyc.write_bytes(pyc.read_bytes()[:16] + b"\0\xff" * 20)


def cut_off_byte_code(pyc):
    os.truncate(pyc, pyc.stat().st_size // 2)


def empty_byte_code(pyc):
    os.truncate(pyc, 0)


def unreadable_byte_code(pyc):
    unreadable(pyc)


BYTE_CODE = [damaged_byte_code, cut_off_byte_code, empty_byte_code, unreadable_byte_code]


@pytest.mark.parametrize("damage", BYTE_CODE, ids=lambda f: f.__name__)
@pytest.mark.parametrize("version", ["3.6", "3.9", "3.13"])
def test_byte_code_of_the_finder_that_is_damaged_disturbs_neither_interpreters_nor_pip(make, pip, version, damage):
    installation = make(version).add_pip().add_module().add_hook()
    damage(byte_code_of_finder(installation))
    start_silently(installation)
    run = pip(installation, *DOWNLOAD)
    assert run.code == 0 and run.hook_lines == [], run.err
    assert "Traceback" not in run.err


def byte_code_of_finder(installation):
    """As a package manager makes it."""
    finder = installation.site / "_tls_bootstrap_pip_finder.py"
    assert installation.run("-m", "compileall", "-q", finder).returncode == 0
    (pyc,) = [*finder.parent.glob("__pycache__/_tls_bootstrap_pip_finder.*.pyc"), *finder.parent.glob(f"{finder.name}c")]
    return pyc


# Python 2 compares the time alone, as for any other module.
STALE = [(version, difference) for version in ("3.6", "3.9", "3.13") for difference in ("nothing", "time", "length")]
STALE += [("2.7", "nothing"), ("2.7", "time")]


@pytest.mark.parametrize("version, difference", STALE)
def test_stale_byte_code_of_the_finder_is_not_executed(make, version, difference):
    """The control: it is where it is made from the very source."""
    installation = make(version).add_pip().add_hook()
    finder = installation.site / "_tls_bootstrap_pip_finder.py"
    genuine = finder.read_bytes()
    finder.write_bytes(b"import sys; sys.stderr.write('stale')\n".ljust(len(genuine) - (difference == "length"), b"#"))
    byte_code_of_finder(installation)
    written = finder.stat()
    finder.write_bytes(genuine)
    os.utime(finder, (written.st_atime, written.st_mtime + 10 * (difference == "time")))
    done = installation.run("-c", "import pip, sys; print(type(sys.meta_path[0]).__name__)")
    if difference == "nothing":
        assert (done.stdout.strip(), done.stderr) == ("function", "stale")
    else:
        assert (done.stdout.strip(), done.stderr) == ("TlsBootstrapPipFinder", "")


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_byte_code_from_elsewhere_is_not_executed(make, version):
    """PYTHONPYCACHEPREFIX moves that of all modules; the finder is read from its source then."""
    installation = make(version).add_pip().add_hook()
    elsewhere = {"PYTHONPYCACHEPREFIX": str(installation.root / "elsewhere")}
    finder = installation.site / "_tls_bootstrap_pip_finder.py"
    genuine, written = finder.read_bytes(), finder.stat()
    planted = installation.root / "planted"
    finder.write_bytes(f"open({str(planted)!r}, 'w')\n".encode().ljust(len(genuine), b"#"))
    os.utime(finder, (written.st_atime, written.st_mtime))
    assert installation.run("-m", "compileall", "-q", finder, environment=elsewhere).returncode == 0
    assert len(list((installation.root / "elsewhere").rglob("_tls_bootstrap_pip_finder.*.pyc"))) == 1
    finder.write_bytes(genuine)
    os.utime(finder, (written.st_atime, written.st_mtime))
    done = installation.run("-c", "import pip, sys; print(type(sys.meta_path[0]).__name__)", environment=elsewhere)
    assert (done.stdout.strip(), done.stderr, planted.exists()) == ("TlsBootstrapPipFinder", "", False)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut off"])
@pytest.mark.parametrize("version, pip_version", [("3.10", "26.3"), ("3.13", "25.1.1"), ("3.9", "20.3.4"), ("2.7", "20.3.4")])
def test_names_that_are_looked_up_in_a_list_are_missed_when_they_are_taken(make, pip, version, pip_version, damage):
    """A file of the module that only recent pips need: they go on with ssl, the others see no difference."""
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    part = installation.core.with_name("_versions.py")
    if damage == "missing":
        part.unlink()
    else:
        part.write_text("" if damage == "empty" else "# SPDX-License-Identifier: Apache-2.0\n", encoding="ascii")
    run = pip(installation, "-v", *DOWNLOAD)
    if damage == "cut off" and pip_version != "26.3":
        assert run.code == 0, run.err
        return
    run.assert_none_ours()
    (line,) = [line for line in run.err.splitlines() if line.startswith("tls-bootstrap: ")]
    assert line.startswith("tls-bootstrap: pip goes on with ssl: ") and ("lacks TLSVersion" in line or "_versions" in line)


UNTOLD = """
import sys
line, site = sys.argv[1:]
sys.path.append(site)
exec(line)
assert sys.meta_path[0] is finder
import pip
assert pip.__file__.startswith(site)
"""


@pytest.mark.parametrize("version", ["2.7", "3.13"])
def test_a_pth_line_that_is_not_told_its_directory_leaves_pip_alone(make, version):
    """Some site.py keep no `sitedir` among the variables that the line sees."""
    installation = make(version).add_pip("20.3.4" if version == "2.7" else "25.1.1").add_hook()
    line = (installation.site / "_tls_bootstrap_pip.pth").read_text(encoding="ascii")
    done = installation.run("-S", "-c", UNTOLD, line, installation.site)
    assert (done.returncode, done.stderr) == (0, "")


UNREADABLE = ("_tls_bootstrap_pip.pth", "_tls_bootstrap_pip_finder.py", "_tls_bootstrap_pip", "_tls_bootstrap_pip/stack.py",
              "_tls_bootstrap", "_tls_bootstrap/_socket.py", "_tls_bootstrap/_core")  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="root makes files that another user may not read, and becomes that user")
@pytest.mark.parametrize("version, pip_version", PAIRS)
def test_an_ordinary_user_has_a_pip_that_works_whatever_of_ours_only_root_may_read(make, as_nobody, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    as_nobody(installation, *DOWNLOAD).assert_all_ours()
    for name in UNREADABLE:
        path = installation.core if name.endswith("_core") else installation.site / name
        mode = path.stat().st_mode
        path.chmod(0)
        run = as_nobody(installation, *DOWNLOAD)
        run.assert_none_ours()
        assert "tls" not in run.err and "Traceback" not in run.err, name
        path.chmod(mode)
