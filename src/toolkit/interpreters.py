# SPDX-License-Identifier: Apache-2.0
"""Runs test directories on every CPython of this machine, against the built trees.

    python -m toolkit.interpreters list
    python -m toolkit.interpreters run [--flavour F] [--only 2.7,3.13] tests/unit ... [-- PYTEST ARGUMENTS]

One interpreter per version is taken: those in TEST_PYTHONS (paths, separated by colons) if it is set, else pyenv's,
those on PATH and the system's. Each gets a pytest that fits it, from the pinned lists in test_requirements/, kept in
the cache.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import functools
import json
import os
import shutil
import subprocess
import threading
import time
import xml.etree.ElementTree
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError, run_main
from toolkit import tools

PROBE = """
import json, platform, sys, sysconfig
print(json.dumps([
    platform.python_implementation(), list(sys.version_info[:3]), sys.maxunicode > 65535,
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
]))
"""
REQUIREMENTS = Path(__file__).with_name("test_requirements")
LOGS = Path("build", "log")
#: Name -> (directory below build/, what makes it). "portable" is the bundled flavour as the packages have it.
FLAVOURS = {
    "bundled": ("", "make build"),
    "system": ("system", "make build FLAVOUR=system"),
    "portable": (f"portable/{os.uname().machine}", "make portable"),
}
#: Seconds after which a whole run on one interpreter is ended.
TIME_LIMIT = 1800
#: Of what a failed test says, this much is told; its log has the rest.
_LINES = 6


@dataclass(frozen=True)
class Interpreter:
    """A CPython: its executable, its version as numbers, and what else decides which file fits it."""

    path: str
    version: tuple[int, int, int]
    wide_unicode: bool
    free_threaded: bool

    @property
    def name(self) -> str:
        """A short name, unique among the interpreters that `find` returns: "3.13", "2.7", "2.7-ucs2"."""
        narrow = "" if self.wide_unicode else "-ucs2"
        return self.language + narrow + ("t" if self.free_threaded else "")

    @property
    def language(self) -> str:
        """Major and minor version, "3.13"."""
        return ".".join(str(part) for part in self.version[:2])


@dataclass
class Outcome:
    """What one pytest run counted. `complaint` tells what went wrong outside any test."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0
    log: Path | None = None
    complaint: str = ""
    reasons: collections.Counter[str] = field(default_factory=collections.Counter)
    #: Name -> what it says of itself: its failure, and its fixtures' errors.
    failures: dict[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """One line for a person."""
        text = f"{self.name:24} {self.passed:5} passed {self.failed:3} failed {self.skipped:3} skipped {self.seconds:5.0f} s"
        return text + (f"  ({self.log})" if self.log else "") + (f"  {self.complaint}" if self.complaint else "")


#: Runs one pytest to its end.
Job = Callable[[], Outcome]


def find() -> list[Interpreter]:
    """One interpreter per version (and unicode width, and threading model), oldest first."""
    found: dict[str, Interpreter] = {}
    for path in _candidates():
        interpreter = probe(path)
        if interpreter and interpreter.version >= (2, 7):
            found.setdefault(interpreter.name, interpreter)
    return sorted(found.values(), key=lambda item: (item.version, item.name))


def _candidates() -> Iterable[str]:
    if os.environ.get("TEST_PYTHONS"):
        return os.environ["TEST_PYTHONS"].split(":")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    paths = [str(path) for path in sorted(pyenv.glob("versions/*/bin/python"))]
    names = ["python2.7", "python3", *(f"python3.{minor}" for minor in range(4, 20))]
    paths += [f"/usr/bin/{name}" for name in names]
    return paths + [path for path in map(shutil.which, names) if path]


def probe(path: str) -> Interpreter | None:
    """The CPython at `path`, or None if there is none or it does not run."""
    try:
        done = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=60, check=True)
        implementation, version, wide, free_threaded = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return Interpreter(path, tuple(version), wide, free_threaded) if implementation == "CPython" else None


def requirements(interpreter: Interpreter) -> Path | None:
    """The list of pinned packages for an interpreter, or None if no pytest is known that fits it."""
    known = sorted(REQUIREMENTS.glob("*.txt"), key=lambda path: [int(part) for part in path.stem.split(".")])
    fitting = [path for path in known if [int(part) for part in path.stem.split(".")] <= list(interpreter.version[:2])]
    same_major = [path for path in fitting if path.stem[0] == str(interpreter.version[0])]
    return same_major[-1] if same_major else None


def pytest_directory(interpreter: Interpreter) -> Path:
    """A directory for PYTHONPATH that holds pytest for an interpreter, from the cache. Raises BuildError."""
    listed = requirements(interpreter)
    if listed is None:
        raise BuildError(f"{interpreter.path}: no pytest is known for Python {interpreter.name}")
    pinned = listed.read_text(encoding="utf-8")

    def make(directory: str) -> None:
        print(f"tests: installing pytest for Python {interpreter.name} into the cache", flush=True)
        options = ["install", "-q", "--no-deps", "--target", directory, "-r", str(listed)]
        if interpreter.version[0] == 2:
            command = [interpreter.path, "-m", "pip", *options]
        else:
            # By the tools' pip, since an old one cannot choose among today's packages; pure Python only.
            pure = ["--platform", "any", "--implementation", "py", "--abi", "none", "--only-binary", ":all:"]
            command = [tools.python(), "-m", "pip", *options, *pure, "--python-version", interpreter.language]
        tools.run_quietly(command, f"installing pytest for {interpreter.path}")

    return Path(cache.entry("pytest", f"{interpreter.name}-{cache.key_of(pinned)}", make))


def tree_for(interpreter: Interpreter, flavour: str) -> Path:
    """The built tree that fits an interpreter, for one of FLAVOURS. Raises BuildError when it is not built."""
    above, verb = FLAVOURS[flavour]
    tree = Path("build", above, f"py{interpreter.version[0]}").resolve()
    if not tree.is_dir():
        raise BuildError(f"{tree} is not built: run {verb}")
    return tree


def run_on(interpreter: Interpreter, paths: Sequence[str], flavour: str, arguments: Sequence[str] = ()) -> Outcome:
    """Run pytest on one interpreter over `paths`, in the built tree of `flavour`."""
    label = "+".join(Path(path).name for path in paths)
    name = f"{label} {interpreter.name}" + ("" if flavour == "bundled" else f" {flavour}")
    if interpreter.free_threaded or requirements(interpreter) is None:
        why = "it is free-threaded, which abi3 does not serve" if interpreter.free_threaded else "no pytest fits it"
        return Outcome(name, complaint=f"not run: {interpreter.path}: {why}")
    python_path = os.pathsep.join([str(tree_for(interpreter, flavour)), str(pytest_directory(interpreter))])
    return run_pytest([interpreter.path, "-s", "-m", "pytest"], name, paths, {"PYTHONPATH": python_path}, arguments)


def run_pytest(
    program: Sequence[str],
    name: str,
    paths: Sequence[str],
    variables: dict[str, str],
    arguments: Sequence[str] = (),
    progress: bool = False,
    limit: float = TIME_LIMIT,
) -> Outcome:
    """Run one pytest to its end and count what its report says; its output goes to a log under build/log.

    With `progress`, pytest's line of dots for each file is shown as well. It is ended after `limit` seconds.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    stem = name.replace(" ", "-").replace("/", "-")
    log, report = LOGS / f"{stem}.log", LOGS / f"{stem}.xml"
    report.unlink(missing_ok=True)
    outcome = Outcome(name, log=log)
    environment = tools.pip_environment() | {"PYTHONDONTWRITEBYTECODE": "1"} | variables
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as stream:
        command = [*program, "-ra", f"--junitxml={report}", *paths, *arguments]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        overdue = threading.Timer(limit, process.kill)
        overdue.start()
        for line in process.stdout or ():
            stream.write(line)
            stream.flush()
            if progress and line.rstrip().endswith("%]"):
                print(f"  {line.rstrip()}", flush=True)
        status = process.wait()
        ended_by_us = not overdue.is_alive()
        overdue.cancel()
    outcome.seconds = time.monotonic() - started
    if ended_by_us:
        outcome.complaint = f"did not end within {limit:.0f} s"
    elif status not in (0, 1) or not report.exists():
        outcome.complaint = f"pytest exited with {status}"
    if report.exists():
        _count(report, outcome)
    if outcome.complaint or (status == 1 and not outcome.failed):
        outcome.failed += 1
    return outcome


def _count(report: Path, outcome: Outcome) -> None:
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        wrong = [child.get("message") or "" for child in case if child.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if wrong:
            outcome.failed += 1
            name = f"{case.get('classname')}::{case.get('name')}"
            # What fails when it is torn down too is there twice.
            outcome.failures[name] = "\n".join([*filter(None, [outcome.failures.get(name)]), *wrong])
        elif skipped is not None:
            outcome.skipped += 1
            outcome.reasons[skipped.get("message") or "no reason given"] += 1
        else:
            outcome.passed += 1


def jobs(paths: Sequence[str], flavour: str = "bundled", only: Sequence[str] = (), arguments: Sequence[str] = ()) -> list[Job]:
    """One job for each interpreter found (or each named in `only`) that runs `paths` on it. Raises BuildError."""
    chosen = [item for item in find() if not only or item.name in only]
    absent = set(only) - {item.name for item in chosen}
    if absent or not chosen:
        raise BuildError(f"no interpreter {', '.join(sorted(absent)) or 'at all'} found (make test looks at TEST_PYTHONS)")
    for item in chosen:
        if requirements(item):
            pytest_directory(item)
    return [functools.partial(run_on, item, paths, flavour, arguments) for item in chosen]


def run_jobs(waiting: Sequence[Job], workers: int | None = None) -> list[Outcome]:
    """Do jobs, `workers` (default: one per processor) at a time and in this order, a line each as it ends."""
    with concurrent.futures.ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        running = [pool.submit(job) for job in waiting]
        for done in concurrent.futures.as_completed(running):
            tell(done.result())
    return [done.result() for done in running]


def tell(outcome: Outcome) -> None:
    """Print one outcome, with what failed and the beginning of what it says: of CI nobody has more than this."""
    print(outcome.line(), flush=True)
    for failure, message in outcome.failures.items():
        print(f"  FAILED {failure[:150]}", flush=True)
        for line in message.splitlines()[:_LINES]:
            print(f"    {line[:200]}", flush=True)


def summarise(outcomes: Sequence[Outcome]) -> int:
    """Print why tests were skipped and the closing line; 0 if nothing failed, else 1."""
    reasons: collections.Counter[str] = collections.Counter()
    for outcome in outcomes:
        reasons.update(outcome.reasons)
    for reason, count in sorted(reasons.items()):
        print(f"skipped {count} times: {reason}")
    failed = sum(outcome.failed for outcome in outcomes)
    passed = sum(outcome.passed for outcome in outcomes)
    print(f"{passed} passed, {failed} failed, {sum(outcome.skipped for outcome in outcomes)} skipped", flush=True)
    return 1 if failed or not passed else 0


def main(arguments: list[str]) -> int:
    split = arguments.index("--") if "--" in arguments else len(arguments)
    own, for_pytest = arguments[:split], arguments[split + 1 :]
    parser = argparse.ArgumentParser(prog="toolkit.interpreters", description="Run tests on every CPython found.")
    parser.add_argument("action", choices=["list", "run"])
    parser.add_argument("paths", nargs="*", default=[])
    parser.add_argument("--flavour", choices=list(FLAVOURS), default="bundled")
    parser.add_argument("--only", default="", help="names as `list` prints them, separated by commas")
    chosen = parser.parse_intermixed_args(own)
    if chosen.action == "list":
        for item in find():
            print(f"{item.name:10} {item.path}")
        return 0
    only = [name for name in chosen.only.split(",") if name]
    return summarise(run_jobs(jobs(chosen.paths or ["tests/unit"], chosen.flavour, only, for_pytest)))


if __name__ == "__main__":
    run_main(main)
