# SPDX-License-Identifier: Apache-2.0
"""The gate of lifetimes: a program that starts and ends Python again and again does not grow because of us.

tests/isolation/embed.c is such a program. The C half is compared with `_socket`, a C module of the interpreter. The
whole package is compared with `_socket`, the standard library's modules that it brings, and a package that has the
same names and does nothing: 3.12 and 3.13 keep some 80 bytes of every name that any module ever had.

Python's own allocator gives an arena (256 KiB, 1 MiB from 3.10 on) back only when nothing at all is left in it, so one
object that the interpreter forgets keeps all the memory around it, and a life that merely uses more seems to lose
more. Every object is therefore taken from malloc (PYTHONMALLOC), and the bytes that malloc has given out are counted.
2.7 knows no such setting; there the resident memory is what is compared. That of one and the same loop differs by up to
a megabyte from run to run (3.7: 2352 and 3308 KiB), so a loop that seems to grow is run again, and so is its yardstick:
what leaks does so each time.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError
from toolkit.audit.model import PAYLOADS, RESULTS, Build, Gate, Verdict
from toolkit.audit.run import all_interpreters, interpreters_for, on_all, run
from toolkit.interpreters import Interpreter

#: Lives of the interpreter in one process: the published C half's in the oldest and the newest, and all others'.
CYCLES = 1000
SHORT_CYCLES = 100
#: Runs of a loop that seems to grow.
TRIES = 3
#: KiB of resident memory by which two loops of the same code may differ: fragmentation.
NOISE = 700
#: Bytes given out by malloc by which they may differ: a table that doubles in one of them and not yet in the other.
SLACK = 32768
#: Every object by malloc, and everything that was freed counted as free.
ACCOUNTABLE = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0", "PYTHONHASHSEED": "0"}
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


def loops(build: Build, interpreter: Interpreter) -> list[Loop]:
    """The loops of one build on one interpreter, by the order of what they tell."""
    if build.major == 3:
        half = f"import sys; sys.path.insert(0, {str(build.package)!r}); import _core"
    else:
        half = f"import imp; _core = imp.load_dynamic('_tls_bootstrap._core', {str(build.binary)!r})"
    whole = f"import sys; sys.path.insert(0, {str(build.tree)!r}); import _tls_bootstrap"
    plain = yardstick(build, interpreter)
    return [
        Loop("the C half", f"{half}; _core.MemoryBIO().write(b'x')", "import _socket"),
        Loop("the package", whole, plain),
        Loop("dlopen and dlclose", "-", None, str(build.binary)),
        Loop("dlopen, dlclose and the package", whole, plain, str(build.binary)),
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
    place = (RESULTS / "yardstick").resolve()
    place.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{name} = None\n" for name in names)
    module = place / f"names_{cache.key_of(text)}.py"
    module.write_text(text, encoding="ascii")
    places = f"{str(PAYLOADS.resolve() / 'yardstick')!r}, {str(place)!r}"
    # sys.path as it is for ours, one entry longer.
    return f"import sys; sys.path[:0] = [{places}]; import {', '.join([*standard, 'plain_package', module.stem])}"


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
    """What a program held more at its end than after a tenth of its cycles."""

    given_out: int
    resident: int

    def __str__(self) -> str:
        return f"{self.given_out} bytes and {self.resident} KiB resident"

    def above(self, other: Growth, exact: bool) -> bool:
        """Whether this is more than the other; `exact`: the bytes of malloc are all there is."""
        return (exact and self.given_out > other.given_out + SLACK) or self.resident > other.resident + NOISE


NOTHING = Growth(0, 0)


def growth(interpreter: Interpreter, cycles: int, code: str, file: str) -> tuple[Growth | None, str]:
    """How a program grew (None if it failed), and what it said then."""
    executable, prefix = program(interpreter)
    done = run([executable, str(cycles), file, code], ACCOUNTABLE | {"PYTHONHOME": prefix}, TIME_LIMIT)
    if done.status != 0:
        return None, done.complaint()
    early, late = json.loads(done.output.strip().splitlines()[-1])
    return Growth(late[0] - early[0], late[1] - early[1]), ""


@dataclass(frozen=True)
class Task:
    """One run of the embedding program."""

    interpreter: Interpreter
    loop: Loop
    cycles: int

    def grows(self, grown: Growth, limit: Growth) -> bool:
        """Whether the loop grew by more than its yardstick."""
        return grown.above(limit, self.interpreter.version >= (3, 6))


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
        chosen.append(Task(item, half, CYCLES if item in (usable[0], newest) else SHORT_CYCLES))
        chosen += [Task(item, loop, SHORT_CYCLES) for loop in (package, library)]
    return [*chosen, Task(newest, both, SHORT_CYCLES)], left_out


def examine(build: Build) -> Verdict | None:
    """The gate on one build: every interpreter that can be embedded."""
    if not build.native:
        return None
    chosen, left_out = tasks(build)
    verdict = judge(build, chosen)
    verdict.seen += left_out
    return verdict


_measured: dict[tuple[str, int, str], tuple[Growth | None, str]] = {}


def judge(build: Build, chosen: list[Task]) -> Verdict:
    """Run the loops and their yardsticks, and compare."""
    verdict = Verdict("lifetime", build.label)
    wanted = {(task.interpreter.path, task.cycles, task.loop.yardstick): task for task in chosen if task.loop.yardstick}
    new = {key: task for key, task in wanted.items() if key not in _measured}
    work = [(task.interpreter, task.cycles, task.loop.yardstick, "-") for task in new.values()]
    work += [(task.interpreter, task.cycles, task.loop.code, task.loop.file) for task in chosen]
    results = on_all(lambda item: growth(*item), work)
    _measured.update(zip(new, results))
    for task, (grown, text) in zip(chosen, results[len(new) :]):
        limit: Growth | None = NOTHING
        if task.loop.yardstick:
            limit, _ = _measured[task.interpreter.path, task.cycles, task.loop.yardstick]
        where = f"{task.interpreter.name}, {task.loop.name}, {task.cycles} cycles"
        if grown is None or limit is None:
            verdict.findings.append(f"{where}: {text if grown is None else 'the yardstick failed'}")
            continue
        for _ in range(TRIES - 1):
            if not task.grows(grown, limit):
                break
            verdict.seen.append(f"{where}: grew by {grown}, the yardstick by {limit}: run again")
            grown, limit = _again(task, grown, limit)
        verdict.seen.append(f"{where}: grew by {grown}, the yardstick by {limit}")
        if task.grows(grown, limit):
            verdict.findings.append(f"{where}: grew by {grown}, {task.loop.yardstick or 'nothing'} by {limit}")
    return verdict


def _again(task: Task, grown: Growth, limit: Growth) -> tuple[Growth, Growth]:
    """One more run of a loop and of its yardstick: the least that each of them was ever seen to grow by."""
    work = [(grown, task.loop.code, task.loop.file)]
    if task.loop.yardstick:
        work.append((limit, task.loop.yardstick, "-"))
    least = [limit, limit]
    for place, (before, code, file) in enumerate(work):
        now, text = growth(task.interpreter, task.cycles, code, file)
        if now is None:
            raise BuildError(f"{task.interpreter.name}, {task.loop.name}: {text}")
        least[place] = Growth(min(before.given_out, now.given_out), min(before.resident, now.resident))
    return least[0], least[1]


def control() -> Verdict:
    """A life that leaves something behind each time, and one that kills the program."""
    newest = all_interpreters()[-1]
    leak = "import _socket, ctypes; ctypes.pythonapi.Py_IncRef(ctypes.py_object(bytearray(b'x' * 20000)))"
    loop = Loop("leak", leak, "import _socket, ctypes")
    crash = Loop("crash", "import os; os.abort()", None)
    build = Build("control", RESULTS, newest.version[0])
    return judge(build, [Task(newest, item, SHORT_CYCLES) for item in (loop, crash)])


GATE = Gate(
    "lifetime",
    "interpreters that start and end in one process leave nothing of ours",
    examine,
    control,
    ("leak, 100 cycles: grew by", "crash, 100 cycles: ended with -6"),
)
