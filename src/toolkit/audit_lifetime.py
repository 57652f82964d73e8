# SPDX-License-Identifier: Apache-2.0
"""The gate of lifetimes: a program that starts and ends Python again and again does not grow because of us.

tests/isolation/embed.c is such a program. The C half is compared with `_socket`, a C module of the interpreter; the
whole package with `_socket` and a package that does nothing, since some interpreters keep much of any package (3.9,
3.12 and 3.13: hundreds of KiB a time).
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from openssl.errors import BuildError
from toolkit.audit_model import PAYLOADS, RESULTS, Build, Gate, Verdict
from toolkit.audit_run import all_interpreters, interpreters_for, on_all, run
from toolkit.interpreters import Interpreter

#: Lives of the interpreter in one process.
CYCLES = 1000
#: The portable binaries are what is published: they get all cycles, the others a part.
SHORT_CYCLES = 100
#: KiB by which two loops of the same code may differ.
NOISE = 700
TIME_LIMIT = 900

PROBE = """
import json, sys, sysconfig
get = sysconfig.get_config_var
print(json.dumps([get("INCLUDEPY"), get("LIBDIR"), get("LDVERSION") or get("VERSION"), get("Py_ENABLE_SHARED"), sys.prefix]))
"""


@dataclass(frozen=True)
class Loop:
    """What each life of the interpreter does, beside what its growth is held against."""

    name: str
    code: str
    #: What the growth is compared with; None: with nothing at all.
    yardstick: str | None
    file: str = "-"


def loops(build: Build) -> list[Loop]:
    """The loops of one build."""
    if build.major == 3:
        half = f"import sys; sys.path.insert(0, {str(build.package)!r}); import _core"
    else:
        half = f"import imp; _core = imp.load_dynamic('_tls_bootstrap._core', {str(build.binary)!r})"
    yardstick = str(PAYLOADS.resolve() / "yardstick")
    whole = f"import sys; sys.path.insert(0, {str(build.tree)!r}); import _tls_bootstrap"
    plain = f"import sys; sys.path.insert(0, {yardstick!r}); import plain_package"
    return [
        Loop("the C half", f"{half}; _core.MemoryBIO().write(b'x')", "import _socket"),
        Loop("the package", whole, plain),
        Loop("dlopen and dlclose", "-", None, str(build.binary)),
        Loop("dlopen, dlclose and the package", whole, plain, str(build.binary)),
    ]


def program(interpreter: Interpreter) -> tuple[Path, str]:
    """The embedding program for an interpreter's library, and the interpreter's prefix. Raises BuildError."""
    done = run([interpreter.path, "-c", PROBE], {})
    include, directory, version, shared, prefix = json.loads(done.output)
    if not shared:
        raise BuildError(f"{interpreter.path} has no shared library to embed")
    RESULTS.mkdir(parents=True, exist_ok=True)
    target = (RESULTS / f"embed-{interpreter.name}").resolve()
    source = PAYLOADS / "embed.c"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        command = ["gcc", "-O1", "-w", f"-I{include}", str(source), "-o", f"{target}.new", f"-L{directory}"]
        command += [f"-lpython{version}", f"-Wl,-rpath,{directory}", "-ldl"]
        compiled = subprocess.run(command, capture_output=True, text=True, check=False)
        if compiled.returncode:
            raise BuildError(f"{source} for {interpreter.path}: {compiled.stderr[-300:]}")
        Path(f"{target}.new").rename(target)
    return target, prefix


def growth(interpreter: Interpreter, cycles: int, code: str, file: str) -> tuple[int | None, str]:
    """KiB between a tenth of the cycles and their end (None if the program failed), and a text about it."""
    executable, prefix = program(interpreter)
    done = run([executable, str(cycles), file, code], {"PYTHONHOME": prefix}, TIME_LIMIT)
    if done.status != 0:
        return None, done.complaint()
    early, late = json.loads(done.output.strip().splitlines()[-1])
    return late - early, f"{early} KiB, then {late} KiB"


def examine(build: Build) -> Verdict | None:
    """The gate on one build: every interpreter that can be embedded."""
    if not build.native:
        return None
    fitting = interpreters_for(build)
    verdict = judge(build, fitting, loops(build), SHORT_CYCLES)
    if build.label.startswith("portable/"):
        ends = [fitting[0], fitting[-1]] if len(fitting) > 1 else fitting
        full = judge(build, ends, loops(build)[:2], CYCLES)
        verdict.findings += full.findings
        verdict.seen += full.seen
    return verdict


def judge(build: Build, interpreters: list[Interpreter], chosen: list[Loop], cycles: int) -> Verdict:
    """Run the loops and their yardsticks, and compare."""
    verdict = Verdict("lifetime", build.label)
    usable = []
    for interpreter in interpreters:
        try:
            program(interpreter)
            usable.append(interpreter)
        except BuildError as error:
            verdict.seen.append(f"{interpreter.name}: not embedded: {error}")
    if not usable:
        raise BuildError(f"no interpreter of Python {build.major} can be embedded here")
    yardsticks = sorted({loop.yardstick for loop in chosen if loop.yardstick})
    tasks = [(item, code, "-") for item in usable for code in yardsticks]
    tasks += [(item, loop.code, loop.file) for item in usable for loop in chosen]
    results = dict(zip(tasks, on_all(lambda task: growth(task[0], cycles, task[1], task[2]), tasks)))
    for item in usable:
        for loop in chosen:
            grown, text = results[item, loop.code, loop.file]
            limit = results[item, loop.yardstick, "-"][0] if loop.yardstick else 0
            where = f"{item.name}, {loop.name}, {cycles} cycles"
            if grown is None or limit is None:
                verdict.findings.append(f"{where}: {text if grown is None else 'the yardstick failed'}")
                continue
            verdict.seen.append(f"{where}: grew by {grown} KiB ({text}), the yardstick by {limit} KiB")
            if grown > limit + NOISE:
                verdict.findings.append(f"{where}: grew by {grown} KiB, {loop.yardstick or 'nothing'} by {limit} KiB")
    return verdict


def control() -> Verdict:
    """A life that leaves something behind each time, and one that kills the program."""
    newest = all_interpreters()[-1]
    leak = "import ctypes; ctypes.pythonapi.Py_IncRef(ctypes.py_object(bytearray(b'x' * 40000)))"
    loop = Loop("leak", leak, "import _socket, ctypes")
    crash = Loop("crash", "import os; os.abort()", None)
    build = Build("control", RESULTS, newest.version[0])
    return judge(build, [newest], [loop, crash], 100)


GATE = Gate(
    "lifetime",
    "interpreters that start and end in one process leave nothing of ours",
    examine,
    control,
    ("leak, 100 cycles: grew by", "crash, 100 cycles: ended with -6"),
)
