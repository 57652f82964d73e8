# SPDX-License-Identifier: Apache-2.0
"""The gate of other interpreters: kinds of CPython that no release ships and some users have.

* 2.7 with UCS2 unicode: loads the very file that is published, and passes the suites.
* A debug build of 2.7, whose objects have another layout: passes the suites with the C half compiled for its headers, and
  gets an ImportError from the file made for ordinary builds.
* Free-threaded: gets an ImportError that says so.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from core import headers
from core.build import BINARY, PACKAGE
from openssl.errors import BuildError
from toolkit import builds, interpreters, source_pythons
from toolkit.audit.model import NATIVE, PAYLOADS, RESULTS, Build, Gate, Verdict
from toolkit.audit.model import builds as built
from toolkit.audit.run import include, interpreters_for, on_all, run
from toolkit.interpreters import Outcome

SUITES = ("tests/unit", str(PAYLOADS))
WRONG_LAYOUT = "cannot be loaded by this Python"
NO_GIL = "free-threaded builds of Python cannot load modules of the stable ABI"

VERSION = "import _tls_bootstrap; print(_tls_bootstrap.OPENSSL_VERSION)"
REFUSAL = """
import sys
try:
    import _tls_bootstrap
except ImportError as error:
    print(error)
    sys.exit(3)
"""


def loads(where: str, python: str, build: Build) -> Iterator[str]:
    """What is wrong when an interpreter that must load a build does not."""
    done = run([python, "-s", "-c", VERSION], {"PYTHONPATH": str(build.tree)})
    if done.status != 0 or f"OpenSSL {build.openssl} " not in done.output:
        yield f"{where}: {done.complaint()}"


def refuses(where: str, python: str, build: Build, reason: str) -> Iterator[str]:
    """What is wrong when an interpreter that must refuse a build in one line does not."""
    done = run([python, "-s", "-c", REFUSAL], {"PYTHONPATH": str(build.tree)})
    if done.status != 3:
        yield f"{where}: not refused: {done.complaint() if done.status else 'imported'}"
    elif reason not in done.output or len(done.output.splitlines()) != 1:
        yield f"{where}: refused with another message: {done.output}"


@functools.cache
def _pytest() -> Path:
    """pytest for 2.7 without its C modules: one of them does not care for the width of unicode, and fails."""
    twin = next(item for item in interpreters.find() if item.language == "2.7" and item.wide_unicode)
    place = (RESULTS / "pytest-2.7").resolve()
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(interpreters.pytest_directory(twin), place, ignore=shutil.ignore_patterns("*.so", "*.pyc"))
    return place


def suites(name: str, python: str, tree: Path, verdict: Verdict) -> None:
    """Run the suites of 2.7 on one interpreter."""
    variables = {"PYTHONPATH": os.pathsep.join([str(tree), str(_pytest())])}

    def work(path: str) -> Outcome:
        return interpreters.run_pytest([python, "-s", "-m", "pytest"], f"{path} {name}", [path], variables)

    for outcome in on_all(work, SUITES):
        include(outcome, verdict)


def examine(build: Build) -> Verdict | None:
    """The gate on the published builds, and on this machine's own of 2.7, which a distribution's resembles."""
    verdict = Verdict("other interpreters", build.label)
    if build.label == f"portable/{NATIVE}/py3":
        free_threaded = source_pythons.interpreter(source_pythons.FREE_THREADED)
        verdict.findings += refuses("3.13, free-threaded", free_threaded, build, NO_GIL)
        verdict.seen.append(f"refused by {free_threaded}")
        return verdict
    if build.label not in ("py2", f"portable/{NATIVE}/py2"):
        return None
    narrow = source_pythons.interpreter(source_pythons.UCS2)
    verdict.findings += loads("2.7, UCS2", narrow, build)
    suites(f"2.7-ucs2 {build.label}", narrow, build.tree, verdict)
    debug = source_pythons.interpreter(source_pythons.DEBUG)
    verdict.findings += refuses("2.7, debug", debug, build, WRONG_LAYOUT)
    if build.label == "py2":
        suites("2.7-debug", debug, builds.compile_for(debug, 2, RESULTS / "debug"), verdict)
    return verdict


#: A C half that uses a name which depends on the width of unicode.
CARELESS = """
#include <Python.h>
PyMODINIT_FUNC init_core(void)
{
    Py_InitModule("_tls_bootstrap._core", NULL);
    Py_XDECREF(PyUnicode_FromString("careless"));
}
"""


@functools.cache
def _careless() -> Build:
    """A tree with a C half that was made for UCS4 and can be used by nobody else."""
    build = next(item for item in built() if item.label == "py2")
    tree = (RESULTS / "wide" / "py2").resolve()
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(build.package, tree / PACKAGE, ignore=shutil.ignore_patterns("*.so"))
    source = tree / "careless.c"
    source.write_text(CARELESS, encoding="ascii")
    found = headers.of_interpreter(interpreters_for(build)[0].path, 2)
    if found is None:
        raise BuildError(f"{interpreters_for(build)[0].path} has no C headers to compile the control with")
    command = ["gcc", "-w", "-shared", "-fPIC", *(f"-I{name}" for name in found.directories), str(source)]
    done = subprocess.run([*command, "-o", tree / PACKAGE / BINARY[2]], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"compiling the control failed: {done.stderr[-300:]}")
    return Build("careless", tree, 2)


def control() -> Verdict:
    """A file for UCS4 alone, and interpreters that load what they are said to refuse."""
    narrow = source_pythons.interpreter(source_pythons.UCS2)
    findings = [*loads("2.7, UCS2", narrow, _careless())]
    for label, reason in (("py2", WRONG_LAYOUT), ("py3", NO_GIL)):
        build = next(item for item in built() if item.label == label)
        findings += refuses(f"an ordinary {label}", interpreters_for(build)[0].path, build, reason)
    return Verdict("other interpreters", "control", findings)


GATE = Gate(
    "other interpreters",
    "UCS2 and debug builds of 2.7 pass the suites, free-threaded ones are refused",
    examine,
    control,
    ("undefined symbol: PyUnicodeUCS4", "an ordinary py2: not refused", "an ordinary py3: not refused"),
)
