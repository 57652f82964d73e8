# SPDX-License-Identifier: Apache-2.0
"""Runs the gates' programs on the interpreters that a build is for."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from openssl.errors import BuildError
from toolkit import interpreters, tools
from toolkit.audit.model import PAYLOADS, RESULTS, Build, Verdict
from toolkit.interpreters import Interpreter, Outcome

#: Seconds after which one program is ended and its gate fails.
TIME_LIMIT = 300

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Run:
    """What one program left: its exit status (negative: the signal that ended it; None: the time limit did)."""

    status: int | None
    output: str
    errors: str

    def complaint(self) -> str:
        """The end of what it said, on one line."""
        lines = (self.errors.strip() or self.output.strip() or "nothing said").splitlines()
        how = "did not end" if self.status is None else f"ended with {self.status}"
        return f"{how}: {lines[-1][:300]}"


def summary(done: Run) -> str:
    """The last line that pytest printed."""
    return done.output.strip().splitlines()[-1] if done.output.strip() else done.complaint()


def failures(where: str, done: Run) -> Iterator[str]:
    """What a run of tests shows to be wrong."""
    if done.status != 0 or not re.search(r"\b[1-9]\d* passed", summary(done)):
        yield f"{where}: {summary(done)}"
        for line in re.findall(r"^(?:FAILED|ERROR) .*$", done.output, re.M)[:10]:
            yield f"{where}: {line}"


def include(outcome: Outcome, verdict: Verdict) -> None:
    """Add to a verdict what one run of pytest counted, skipped and shows to be wrong."""
    verdict.seen.append(outcome.line())
    verdict.seen += [f"skipped {count} times: {reason}" for reason, count in sorted(outcome.reasons.items())]
    for name, message in outcome.failures.items():
        lines = message.splitlines()
        verdict.findings.append(f"{outcome.name}: {name}: {lines[0][:300] if lines else 'says nothing'}")
    if (outcome.failed and not outcome.failures) or not outcome.passed:
        verdict.findings.append(outcome.line())


@functools.cache
def all_interpreters() -> tuple[Interpreter, ...]:
    """The interpreters of this machine, oldest first, without those that no build serves."""
    return tuple(item for item in interpreters.find() if not item.free_threaded)


def interpreters_for(build: Build) -> list[Interpreter]:
    """Those that can load a build. Raises BuildError when there are none: a gate that ran nowhere proves nothing."""
    fitting = [item for item in all_interpreters() if item.version[0] == build.major]
    if not fitting:
        raise BuildError(f"no interpreter of Python {build.major} is here to load {build.label}")
    return fitting


def flavour_of(build: Build) -> str:
    """Which of interpreters.FLAVOURS a build for this machine is."""
    flavours = {directory: name for name, (directory, _) in interpreters.FLAVOURS.items()}
    return flavours[build.label.rpartition("/")[0]]


def run(command: Sequence[str | Path], variables: Mapping[str, str], limit: int = TIME_LIMIT) -> Run:
    """Run a program with the caller's environment, less what would change an interpreter, plus `variables`."""
    kept = {name: value for name, value in tools.pip_environment().items() if not name.startswith("TLS_BOOTSTRAP_")}
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, env=kept | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(variables), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Run(None, "", f"{words[0]} did not end within {limit} s")
    except OSError as error:
        raise BuildError(f"{words[0]}: {error.strerror}") from error
    return Run(done.returncode, done.stdout, done.stderr)


def on_all(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """The results of `work` on each task, in their order, as many at once as there are processors."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(work, tasks))


def compiled(name: str, *options: str) -> Path:
    """A shared library made from tests/isolation/NAME.c, compiled when that is newer. Raises BuildError."""
    source = PAYLOADS / f"{name}.c"
    target = (RESULTS / f"{name}.so").resolve()
    if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_suffix(f".{os.getpid()}")
    command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", *options, str(source), "-o", str(fresh), "-ldl", "-pthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{source}: {done.stderr[-500:]}")
    fresh.rename(target)
    return target
