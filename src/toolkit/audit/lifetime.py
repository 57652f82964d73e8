# SPDX-License-Identifier: Apache-2.0
"""The gate of lifetimes: a program that starts and ends Python again and again does not grow because of us.

tests/isolation/embed.c is such a program. What each of us grows by is held against what the interpreter itself does:

* the C half against an interpreter that imports nothing, the package too where it brings nothing that keeps anything;
* where the package brings `_socket` (2.7 to 3.9), and where each name that a module had is kept for ever (3.12 and
  later), against `_socket`, a C module of the interpreter;
* on 2.7, if that is not enough, against `_socket`, the standard library's modules that the package brings, and a package
  that has the same names and does nothing: 2.7 loses the list of the classes that were derived from one of `_socket`.

What counts is how many bytes malloc has given out, and how many are mapped beside its heap; resident memory, which one
and the same loop ends with now more of and now less, is not looked at. Both are exact, since the program takes every
object from malloc and has the same addresses in each run: twice the same loop gives twice the same figures. A loop is
looked at in tenths: it is too much where both their median and their mean are above those of what it is held against, for
tables of the interpreter double and shrink now in one and now in another, which one of the two does not see, while what each
life leaves behind both do; and where more than such a table is left in all.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
import shutil
import statistics
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError
from toolkit.audit.model import PAYLOADS, RESULTS, Build, Gate, Verdict
from toolkit.audit.run import all_interpreters, interpreters_for, on_all, run
from toolkit.interpreters import Interpreter

#: Lives of the interpreter in one process: the published module's in the oldest and the newest, and all others'.
CYCLES = 1000
SHORT_CYCLES = 100
#: Bytes given out by malloc by which tenths may differ: 20 for each life where a tenth has 100.
SLACK = 2048
#: The same for all of them together, where what is left behind is not left by each life.
SLACK_IN_ALL = 32768
#: Objects are taken from malloc, which keeps nothing that was freed, and maps nothing beside its heap.
ACCOUNTABLE = {
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mmap_max=0",
    "PYTHONHASHSEED": "0",
}
TIME_LIMIT = 900

#: What lives of the interpreter are compared with: such that import nothing, and such that import a C module of its own.
NOTHING, MODULE = "pass", "import _socket"

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
    #: What it may grow as much as, whichever grows most; none of these: it must not grow.
    yardsticks: tuple[str, ...]
    file: str = "-"


def loops(build: Build, interpreter: Interpreter) -> list[Loop]:
    """The loops of one build on one interpreter, by the order of what they tell."""
    if build.major == 3:
        half = f"import sys; sys.path.insert(0, {str(build.package)!r}); import _core"
    else:
        half = f"import imp; _core = imp.load_dynamic('_tls_bootstrap._core', {str(build.binary)!r})"
    whole = f"import sys; sys.path.insert(0, {str(ready(build.tree, build.label, interpreter))!r}); import _tls_bootstrap"
    keeps_names = interpreter.version >= (3, 12)
    half_yardstick = MODULE if keeps_names else NOTHING
    yardsticks = (NOTHING,) if (3, 10) <= interpreter.version < (3, 12) else (MODULE,)
    if build.major == 2:
        yardsticks += (yardstick(build, interpreter),)
    return [
        Loop("the C half", f"{half}; _core.MemoryBIO().write(b'x')", (half_yardstick,)),
        Loop("the package", whole, yardsticks),
        Loop("dlopen and dlclose", "-", (), str(build.binary)),
        Loop("dlopen, dlclose and the package", whole, yardsticks, str(build.binary)),
    ]


#: Prints what an import brings: modules of the standard library, files of ours, and names that the C half makes.
BROUGHT = """
import json, sys
before = set(sys.modules)
import _tls_bootstrap
new = [(name, module) for name, module in sys.modules.items() if name not in before and module is not None]
files = [module.__file__.replace(".pyc", ".py") for name, module in new if name.startswith("_tls_bootstrap")]
from _tls_bootstrap import _core
names = set(dir(_core)).union(*[dir(item) for item in vars(_core).values() if isinstance(item, type)])
print(json.dumps([sorted(name for name, _ in new if not name.startswith("_tls_bootstrap")), sorted(files), sorted(names)]))
"""


def yardstick(build: Build, interpreter: Interpreter) -> str:
    """Code that imports what `_tls_bootstrap` brings of the standard library, and a package with its names."""
    done = run([interpreter.path, "-S", "-c", BROUGHT], {"PYTHONPATH": str(build.tree)})
    if done.status != 0:
        raise BuildError(f"importing {build.label} on {interpreter.path} {done.complaint()}")
    standard, files, made = json.loads(done.output)
    words = {word for path in files if path.endswith(".py") for word in _words(Path(path))}.union(made)
    names = sorted(filter(None, map(_bindable, words)))
    text = "".join(f"{name} = None\n" for name in names)
    module = f"names_{cache.key_of(text)}"
    place = ready(PAYLOADS / "yardstick", f"yardstick/{module}", interpreter, {f"{module}.py": text})
    return f"import sys; sys.path.insert(0, {str(place)!r}); import {', '.join([*standard, 'plain_package', module])}"


def ready(tree: Path, name: str, interpreter: Interpreter, more: Mapping[str, str] | None = None) -> Path:
    """A copy of a tree with `more` files and, as packages bring it, byte code; else each life would compile.

    On 3.9 the first use of the compiler in a life leaves 219 KB behind.
    """
    place = (RESULTS / "lifetime" / name).resolve()
    shutil.copytree(tree, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for file, text in (more or {}).items():
        (place / file).write_text(text, encoding="ascii")
    done = run([interpreter.path, "-S", "-m", "compileall", "-q", place], {})
    if done.status != 0:
        raise BuildError(f"compiling {place} on {interpreter.path} {done.complaint()}")
    return place


def _words(path: Path) -> Iterator[str]:
    """The names in a file, and its texts: a compiler of Python interns both."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        for field in ("id", "attr", "arg", "name", "asname", "value"):
            if isinstance(word := getattr(node, field, None), str):
                yield word


def _bindable(word: str) -> str | None:
    """A word as a name that any version can bind: special names mean something to a module, "print" is none in 2.7."""
    if not re.fullmatch(r"[A-Za-z_]\w*", word) or keyword.iskeyword(word):
        return None
    return f"plain_{word}" if word.startswith("__") or word in ("print", "exec") else word


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


@dataclass(frozen=True)
class Growth:
    """By how much more a program held of malloc after a tenth of its cycles, and of both after all but the first tenth."""

    median: int
    mean: int
    total: int
    mapped: int

    def __str__(self) -> str:
        return f"{self.median} (mean {self.mean}) bytes of malloc a tenth, in all {self.total} and {self.mapped} mapped"

    def above(self, other: Growth) -> bool:
        """Whether this is more than the other."""
        steadily = self.median > other.median + SLACK and self.mean > other.mean + SLACK
        return steadily or self.total > other.total + SLACK_IN_ALL or self.mapped > other.mapped


def most(growths: Iterable[Growth]) -> Growth:
    """The most that any of them grew."""
    found = [Growth(0, 0, 0, 0), *growths]
    return Growth(*(max(getattr(one, part.name) for one in found) for part in fields(Growth)))


def growth(interpreter: Interpreter, cycles: int, code: str, file: str) -> tuple[Growth | None, str]:
    """How a program grew (None if it failed), and what it said then."""
    executable, prefix = program(interpreter)
    done = run([executable, str(cycles), file, code], ACCOUNTABLE | {"PYTHONHOME": prefix}, TIME_LIMIT)
    if done.status != 0:
        return None, done.complaint()
    held = [tuple(map(int, line.split())) for line in done.output.splitlines()]
    tenths = [late[0] - early[0] for early, late in zip(held, held[1:])]
    total = sum(tenths)
    return Growth(statistics.median_low(tenths), total // len(tenths), total, held[-1][1] - held[0][1]), ""


@dataclass(frozen=True)
class Task:
    """One run of the embedding program."""

    interpreter: Interpreter
    loop: Loop
    cycles: int


def tasks(build: Build) -> tuple[list[Task], list[str]]:
    """What is run for a build, and which interpreters cannot be embedded."""
    usable, left_out = [], []
    for item in interpreters_for(build):
        try:
            program(item)
            usable.append(item)
        except BuildError as error:
            left_out.append(f"{item.name}: not embedded: {error}")
    if not usable:
        raise BuildError(f"no interpreter of Python {build.major} can be embedded here")
    newest = usable[-1]
    if not build.label.startswith("portable/"):
        return [Task(newest, loop, SHORT_CYCLES) for loop in loops(build, newest)[:2]], left_out
    chosen = []
    for item in usable:
        half, package, library, both = loops(build, item)
        cycles = CYCLES if item in (usable[0], newest) else SHORT_CYCLES
        chosen += [Task(item, half, cycles), Task(item, package, cycles), Task(item, library, SHORT_CYCLES)]
    return [*chosen, Task(newest, both, SHORT_CYCLES)], left_out


def examine(build: Build) -> Verdict | None:
    """The gate on one build: every interpreter that can be embedded."""
    if not build.native:
        return None
    chosen, left_out = tasks(build)
    verdict = judge(build, chosen)
    verdict.seen += left_out
    return verdict


_measured: dict[tuple[Interpreter, int, str], tuple[Growth | None, str]] = {}


def judge(build: Build, chosen: list[Task]) -> Verdict:
    """Run the loops and their yardsticks, and compare."""
    verdict = Verdict("lifetime", build.label)
    wanted = {(task.interpreter, task.cycles, code): None for task in chosen for code in task.loop.yardsticks}
    new = [key for key in wanted if key not in _measured]
    work = [(*key, "-") for key in new]
    work += [(task.interpreter, task.cycles, task.loop.code, task.loop.file) for task in chosen]
    results = on_all(lambda item: growth(*item), work)
    _measured.update(zip(new, results))
    for task, (grown, text) in zip(chosen, results[len(new) :]):
        limits = [_measured[task.interpreter, task.cycles, code][0] for code in task.loop.yardsticks]
        where = f"{task.interpreter.name}, {task.loop.name}, {task.cycles} cycles"
        if grown is None or None in limits:
            verdict.findings.append(f"{where}: {text if grown is None else 'a yardstick failed'}")
            continue
        limit = most(filter(None, limits))
        verdict.seen.append(f"{where}: grew by {grown}, the yardsticks by {' or '.join(map(str, limits)) or 'nothing'}")
        if grown.above(limit):
            verdict.findings.append(f"{where}: grew by {grown}, the yardsticks by at most {limit}")
    return verdict


def control() -> Verdict:
    """A life that leaves an object behind each time, one that leaves a mapping, and one that kills the program."""
    oldest, newest = all_interpreters()[0], all_interpreters()[-1]
    keep = "import _socket, ctypes, mmap; ctypes.pythonapi.Py_IncRef(ctypes.py_object(%s))"
    plain = keep % "None"
    leak = keep % "bytearray(b'x' * 1000)"
    old_leak, new_leak = Loop("leak in the oldest", leak, (plain,)), Loop("leak in the newest", leak, (plain,))
    mapping = Loop("mapping", keep % "mmap.mmap(-1, 1)", (plain,))
    crash = Loop("crash", "import os; os.abort()", ())
    build = Build("control", RESULTS, newest.version[0])
    chosen = [Task(oldest, old_leak, SHORT_CYCLES)]
    chosen += [Task(newest, loop, SHORT_CYCLES) for loop in (new_leak, mapping, crash)]
    return judge(build, chosen)


GATE = Gate(
    "lifetime",
    "interpreters that start and end in one process leave nothing of ours",
    examine,
    control,
    (
        "leak in the oldest, 100 cycles: grew by",
        "leak in the newest, 100 cycles: grew by",
        "mapping, 100 cycles: grew by",
        "crash, 100 cycles: ended with -6",
    ),
)
