# SPDX-License-Identifier: Apache-2.0
"""Runs the interpreters' own suites, with `ssl` (three times, cached) and with `_tls_bootstrap`.

What is done inside an interpreter stands in tests/conformance (supervisor.py, examinee.py): it has to run on 2.7.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from openssl import cache
from openssl.errors import BuildError

SCRIPTS = Path("tests", "conformance")
#: How often a suite is run with `ssl`: some of its tests do not always pass.
BASELINE_RUNS = 3
#: How often a test that is flaky with `ssl` is tried with ours.
TRIES = 3
#: Seconds without any progress after which a test is ended and counted as failed.
STALL = 90
#: Seconds after which a whole suite is ended.
WHOLE = 1200

TLS_ONLY = "(?i)ssl|tls|https|secure|cert"


@dataclass(frozen=True)
class Suite:
    """One test module (or package) of the standard library."""

    name: str
    #: Regular expression of the ids that concern TLS; None for all.
    select: str | None = TLS_ONLY
    #: A file of ours with tests that the suite lacks.
    also: str | None = None

    @property
    def module(self) -> str:
        """The name to import."""
        return f"test.{self.name}"


#: In the order in which they are started: the longest first.
SUITES = (
    Suite("test_asyncio"),
    Suite("test_ssl", select=None),
    Suite("test_httplib"),
    Suite("test_ftplib"),
    Suite("test_poplib"),
    Suite("test_imaplib"),
    # CPython's own has no test of SMTP over TLS.
    Suite("test_smtplib", select=None, also="smtplib_tls.py"),
    Suite("test_urllib2_localnet"),
)


class Place(Protocol):
    """An interpreter that can be examined, on this machine or in a root."""

    name: str

    def execute(self, arguments: Sequence[str], timeout: float) -> tuple[int, str]:
        """Run the interpreter with arguments; returns its status and its output."""

    def script(self, name: str) -> str:
        """A file of tests/conformance as the interpreter sees it."""

    def tree(self) -> str:
        """The directory with `_tls_bootstrap` as the interpreter sees it."""

    def exchange(self) -> tuple[Path, str]:
        """A new directory for files to and from the interpreter: its path outside and inside."""


class Here:
    """An interpreter of this machine."""

    def __init__(self, name: str, python: str, tree: Path) -> None:
        self.name = name
        self._python = python
        self._tree = tree

    def execute(self, arguments: Sequence[str], timeout: float) -> tuple[int, str]:
        try:
            done = subprocess.run(
                [self._python, *arguments], capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise BuildError(f"{self._python} {' '.join(arguments)}: did not end within {timeout:.0f} s") from None
        return done.returncode, done.stdout + done.stderr

    def script(self, name: str) -> str:
        return str((SCRIPTS / name).resolve())

    def tree(self) -> str:
        return str(self._tree)

    def exchange(self) -> tuple[Path, str]:
        path = Path(tempfile.mkdtemp(prefix="conformance-"))
        return path, str(path)


@dataclass(frozen=True)
class Identity:
    """What an interpreter's own results depend on, and which suites it has."""

    digest: str
    modules: frozenset[str]
    openssl: str
    python: str


def identify(place: Place) -> Identity:
    """Ask an interpreter for its identity. Raises BuildError when it has no working `ssl` or no tests."""
    status, output = place.execute([place.script("supervisor.py"), "--identity"], 120)
    if status:
        raise BuildError(f"{place.name} cannot be examined: {output.strip().splitlines()[-1] if output else status}")
    told = json.loads(output.splitlines()[-1])
    return Identity(told["digest"], frozenset(told["modules"]), told["openssl"], told["python"])


def run_suite(
    place: Place,
    suite: Suite,
    *,
    ours: bool,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    plant: str | None = None,
) -> dict[str, Any]:
    """Run one suite once; returns what supervisor.py reports. Raises BuildError when it reports nothing.

    only, without: ids of tests to run, or to leave out.
    """
    outside, inside = place.exchange()
    arguments = [place.script("supervisor.py"), "--module", suite.module, "--output", f"{inside}/report.json"]
    arguments += ["--stall", str(STALL), "--whole", str(WHOLE)]
    arguments += ["--select", suite.select] if suite.select else []
    arguments += ["--also", place.script(suite.also)] if suite.also else []
    arguments += ["--tree", place.tree()] if ours else []
    arguments += ["--plant", place.script(f"plants/{plant}.py")] if plant else []
    for option, names in (("only", only), ("without", without)):
        if names:
            (outside / option).write_text("".join(f"{name}\n" for name in names), encoding="ascii")
            arguments += [f"--{option}", f"{inside}/{option}"]
    _, output = place.execute(arguments, WHOLE + 60)
    report = outside / "report.json"
    if not report.exists():
        raise BuildError(f"{place.name}, {suite.name}: the supervisor left no report\n{output[-2000:]}")
    result: dict[str, Any] = json.loads(report.read_text(encoding="ascii"))
    for path in outside.iterdir():
        path.unlink()
    outside.rmdir()
    return result


def baseline(place: Place, identity: Identity, suite: Suite) -> list[dict[str, Any]]:
    """The runs of a suite with the interpreter's own `ssl`, from the cache where they were made before."""
    key = cache.key_of(identity.digest, suite.name, repr(suite), str(BASELINE_RUNS))

    def make(directory: str) -> None:
        runs = [run_suite(place, suite, ours=False) for _ in range(BASELINE_RUNS)]
        if any(run["end"] is None for run in runs):
            notes = "; ".join(note for run in runs for note in run["notes"])
            raise BuildError(f"{place.name}, {suite.name}: a run with ssl itself did not end: {notes[-1500:]}")
        Path(directory, "runs.json").write_text(json.dumps(runs), encoding="ascii")

    entry = Path(cache.entry("conformance", key, make))
    runs: list[dict[str, Any]] = json.loads((entry / "runs.json").read_text(encoding="ascii"))
    return runs
