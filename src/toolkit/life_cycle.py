# SPDX-License-Identifier: Apache-2.0
"""`make life-cycle`: the tests of the packages' whole life on real managers, which are too long for `make test`.

    python -m toolkit.life_cycle [--share [NUMBER]] [PYTEST ARGUMENTS]

LIFE_CYCLE="tests/life_cycle/test_kills.py -k apt" on make's command line becomes these arguments. ``--share`` is for
machines whose time is limited: ALWAYS, and one of TURNS, the one of that number or the one that the commit's own number
chooses; after a few commits all have had their turn.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from openssl.errors import BuildError, run_main
from toolkit import deps, interpreters, releases, tools

_TESTS = "tests/life_cycle"
#: Seconds after which a run is ended, which holds what `make test` spreads over many.
_LIMIT = 3 * 3600


@dataclass(frozen=True)
class Part:
    """Some of the tests: files, and an expression of pytest's -k."""

    files: tuple[str, ...]
    select: str = ""

    @property
    def arguments(self) -> list[str]:
        """What pytest is told."""
        return [*(f"{_TESTS}/test_{name}.py" for name in self.files), *(["-k", self.select] if self.select else [])]


#: What every share runs: each release examined, installed, proven and removed, and each step of the life of a package.
ALWAYS = Part(("managers", "page", "steps", "full_disk", "hand_over", "pip_upgrades", "bills", "checkers"))
#: What takes turns: by Debian release the builds from source with what examines them, and what else is long.
_SUITES = [release.codename for release in releases.at_hand()]
TURNS = (
    *(Part(("source_builds",), f"{suite} and {flavour}") for suite in _SUITES for flavour in ("bundled", "system")),
    Part(("source_builds", "debian_checks"), f"not ({' or '.join(_SUITES)})"),
    Part(("kills", "upgrade_under_load")),
    Part(("distribution_upgrade",)),
)


def turn_of_commit(commit: str) -> Part:
    """The part whose turn it is at a commit, by its number in hexadecimal digits."""
    return TURNS[int(commit, 16) % len(TURNS)]


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise BuildError(f"--share: git knows no commit here ({done.stdout.strip()}); name one of 1 to {len(TURNS)}: --share 2")
    return done.stdout.strip()


def shares(number: str) -> list[Part]:
    """The parts to run for ``--share NUMBER``; empty for the commit's own. Raises BuildError for another number."""
    if not number:
        return [ALWAYS, turn_of_commit(_commit())]
    if not number.isdigit() or not 1 <= int(number) <= len(TURNS):
        raise BuildError(f"--share {number}: it is a number from 1 to {len(TURNS)}")
    return [ALWAYS, TURNS[int(number) - 1]]


def _run(name: str, words: Sequence[str]) -> interpreters.Outcome:
    pytest = tools.command("pytest")
    return interpreters.run_pytest(pytest, name, [], {"PYTHONPATH": "src"}, list(words), progress=True, limit=_LIMIT)


def main(arguments: list[str]) -> int:
    """Run them; 0 when all pass. What a test prints (kill points, seeds) is in the log."""
    parser = argparse.ArgumentParser(prog="toolkit.life_cycle", description="The packages' whole life on real managers.")
    parser.add_argument("--share", nargs="?", const="", metavar="NUMBER", help="only what always runs and one part more")
    chosen, words = parser.parse_known_args(arguments)
    deps.main(["--life-cycle"])
    if chosen.share is None:
        given = any(word.startswith(_TESTS) for word in words)
        runs: list[tuple[str, list[str]]] = [("life-cycle", [*([] if given else [_TESTS]), *words])]
    else:
        parts = shares(chosen.share)
        runs = [(f"life-cycle-{number}", [*part.arguments, *words]) for number, part in enumerate(parts, 1)]
    outcomes = []
    for name, told in runs:
        started = time.monotonic()
        outcome = _run(name, ["-rP", "--durations=0", "--durations-min=20", *told])
        interpreters.tell(outcome)
        print(f"{name}: {' '.join(told)}: {time.monotonic() - started:.0f} s", flush=True)
        if outcome.complaint:
            raise BuildError(f"{outcome.complaint}; see {outcome.log}")
        outcomes.append(outcome)
    return interpreters.summarise(outcomes)


if __name__ == "__main__":
    run_main(main)
