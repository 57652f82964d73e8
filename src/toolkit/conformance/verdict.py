# SPDX-License-Identifier: Apache-2.0
"""Judges what the suites left: which tests `ssl` passes and `_tls_bootstrap` does not, and which of those may.

The exceptions file has one entry per test, and says which interpreters it is for, why, and what each side does:

    2.7, 3.6    test.test_ssl.ContextTests.test_something
        opposite: in 3.6 ...; in 2.7 ...

An entry starts at the beginning of a line; the lines below it that are indented are its reason. An entry of the kind
`race` excuses nothing: the test has to pass, and may be repeated for it like one that is seen to be flaky with `ssl`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openssl.errors import BuildError

KINDS = {
    "private": "it tests the privacy of _ssl",
    "removed": "a name or behaviour that a later Python removed",
    "opposite": "3.6 and that Python define it oppositely",
    "race": "the test itself has two outcomes, with ssl too, though the runs with ssl need not show it",
}
#: How many tests may be excepted for one interpreter.
LIMIT = 12


@dataclass(frozen=True)
class Exceptions:
    """Excepted tests of each interpreter, with kind and text."""

    path: Path
    entries: Mapping[str, Mapping[str, tuple[str, str]]]

    def of(self, name: str, module: str) -> Mapping[str, tuple[str, str]]:
        """Id -> (kind, text) of what one interpreter's tests in `module` need not pass."""
        return {test: why for test, why in self._entries(name, module) if why[0] != "race"}

    def races(self, name: str, module: str) -> set[str]:
        """Ids of one interpreter's tests in `module` that may be repeated."""
        return {test for test, why in self._entries(name, module) if why[0] == "race"}

    def _entries(self, name: str, module: str) -> list[tuple[str, tuple[str, str]]]:
        return [(test, why) for test, why in self.entries.get(name, {}).items() if test.startswith(f"{module}.")]


def read_exceptions(path: Path) -> Exceptions:
    """Read the exceptions file. Raises BuildError that names the line for anything it does not expect."""
    entries: dict[str, dict[str, tuple[str, str]]] = {}
    pending: tuple[int, list[str], str, list[str]] | None = None

    def finish() -> None:
        if pending is None:
            return
        number, names, test, words = pending
        kind, colon, text = " ".join(words).partition(":")
        if not colon or kind not in KINDS or not text.strip():
            raise BuildError(f"{path}:{number}: the reason of {test} must be KIND: TEXT, KIND one of {', '.join(KINDS)}")
        for name in names:
            if test in entries.setdefault(name, {}):
                raise BuildError(f"{path}:{number}: {test} is there twice for {name}")
            entries[name][test] = kind, text.strip()

    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            if pending is None:
                raise BuildError(f"{path}:{number}: a reason without a test above it")
            pending[3].append(line.strip())
            continue
        finish()
        matched = re.fullmatch(r"([\w.@-]+(?:,\s*[\w.@-]+)*)\s+(\w+(?:\.\w+)+)\s*", line)
        if not matched:
            raise BuildError(f"{path}:{number}: expected INTERPRETER[, INTERPRETER...] TEST-ID")
        pending = number, re.split(r",\s*", matched[1]), matched[2], []
    finish()
    for name, tests in entries.items():
        if len(tests) > LIMIT:
            raise BuildError(f"{path}: {len(tests)} tests are excepted for {name}; at most {LIMIT} may be")
    return Exceptions(path, entries)


@dataclass
class Verdict:
    """One suite on one interpreter, judged."""

    place: str
    suite: str
    with_ssl: int = 0
    with_ours: int = 0
    only_ours: int = 0
    skipped: int = 0
    excepted: list[str] = field(default_factory=list)
    #: Tests that do not always pass with `ssl`, seen or known; they were repeated with ours where needed.
    flaky: list[str] = field(default_factory=list)
    handshakes: int = 0
    handshakes_of_ssl: int | None = 0
    seconds: float = 0
    #: Test id -> what happened with ours.
    failures: dict[str, str] = field(default_factory=dict)
    #: What is wrong beside single tests.
    complaints: list[str] = field(default_factory=list)
    absent: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failures and not self.complaints


def passing(runs: Sequence[Mapping[str, Any]]) -> tuple[set[str], set[str]]:
    """(tests that passed in any of the runs, those of them that did not pass in all)."""
    passed = [{name for name, result in run["results"].items() if result["outcome"] == "passed"} for run in runs]
    union = set().union(*passed)
    return union, union - set.intersection(*passed) if passed else set()


def wanted_again(
    baseline: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]], races: Set[str] = frozenset()
) -> set[str]:
    """Tests that are flaky with `ssl`, seen or known, and have not passed with ours yet."""
    union, flaky = passing(baseline)
    return (flaky | (union & races)) - passing(ours)[0]


def judge(
    place: str,
    suite: str,
    baseline: Sequence[Mapping[str, Any]],
    ours: Sequence[Mapping[str, Any]],
    exceptions: Mapping[str, tuple[str, str]],
    races: Set[str] = frozenset(),
) -> Verdict:
    """Compare runs with `ssl` and runs with `_tls_bootstrap` (the first is whole, further ones repeat flaky tests).

    races: tests that are known to be flaky with `ssl`.
    """
    verdict = Verdict(place, suite)
    union, flaky = passing(baseline)
    flaky |= union & races
    passed = passing(ours[:1])[0] | (passing(ours[1:])[0] & flaky)
    outcomes = ours[0]["results"]
    verdict.with_ssl = len(union)
    verdict.with_ours = len(union & passed)
    verdict.only_ours = len(passed - union)
    verdict.flaky = sorted(flaky)
    verdict.skipped = sum(1 for result in outcomes.values() if result["outcome"] == "skipped")
    for name in sorted(union - passed):
        if name in exceptions:
            verdict.excepted.append(name)
            continue
        result = outcomes.get(name)
        verdict.failures[name] = f"{result['outcome']}: {result['text']}" if result else "did not run"
    # One that ssl does not pass either is left alone: some tests pass with ssl only when the machine has time for them.
    for name in sorted(set(exceptions) & passed):
        verdict.complaints.append(f"the exception for {name} is no longer needed: it passes")
    seen = set(outcomes).union(*(run["results"] for run in baseline))
    for name in sorted((set(exceptions) | races) - seen):
        verdict.complaints.append(f"the exception for {name} is not needed: there is no such test")
    verdict.seconds = ours[0]["seconds"]
    _judge_evidence(verdict, baseline, ours)
    return verdict


def _judge_evidence(verdict: Verdict, baseline: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]]) -> None:
    """Whether the runs are what they are taken for: complete, and made by the right implementation."""
    for number, run in enumerate(baseline, 1):
        if run["end"] is None:
            verdict.complaints.append(f"run {number} with ssl did not end: {'; '.join(run['notes'])[-500:]}")
        elif run["about"]["implementation"] != "ssl":
            verdict.complaints.append(f"run {number} with ssl was made with {run['about']['implementation']}")
    if not verdict.with_ssl:
        verdict.complaints.append("no test passes with ssl: there is nothing to compare with")
    end = ours[0]["end"]
    if end is None:
        verdict.handshakes_of_ssl = None
        verdict.complaints.append(f"the run did not end: {'; '.join(ours[0]['notes'])[-500:]}")
    elif end["standard_mapped"] or end["replaced"]:
        verdict.handshakes_of_ssl = None
        verdict.complaints.append(f"the standard library's TLS was in use: {end['standard_mapped'] or end['replaced']}")
    if ours[0]["about"] and ours[0]["about"]["implementation"] != "_tls_bootstrap":
        verdict.complaints.append(f"the run was made with {ours[0]['about']['implementation']}")
    verdict.handshakes = sum(result["handshakes"] for result in ours[0]["results"].values())
    in_baseline = sum(result["handshakes"] for run in baseline for result in run["results"].values())
    if in_baseline and not verdict.handshakes:
        verdict.complaints.append("no handshake was made by _tls_bootstrap")
