# SPDX-License-Identifier: Apache-2.0
"""`make test`: builds, then runs the tests; the last line is "N passed, N failed, N skipped".

LONG=1 adds what is in LONG and a share of the long proofs: CI waits for it, a person who changes something mostly need not.
"""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

from openssl.errors import BuildError, run_main
from toolkit import builds, deps, interpreters, portable, proofs, tools

#: Directories under tests/ that run on every interpreter, unchanged from 2.7 to the newest.
EVERYWHERE = ("unit", "conformance", "isolation")
#: Those that run once, under the build side's pytest; they start roots, package managers and pips themselves.
ONCE = ("packages", "build", "bench", "races")
#: The same, each file by a pytest of its own: their files share nothing.
ONCE_BY_FILE = ("pip",)
#: About the check's liars, damaged files, the ladder, what surrounds pip, patches: many real pips, a few minutes together.
#: And instructions counted under callgrind, and a C half compiled for the thread sanitizer.
_LONG_PIP = ("faults", "indexes", "ladder", "liars", "neighbours", "patches", "surroundings", "venv")
LONG = (*(f"tests/pip/test_{name}.py" for name in _LONG_PIP), "tests/bench", "tests/races")


def is_long() -> bool:
    """Whether CI, or somebody with its patience, waits."""
    return os.environ.get("LONG") == "1"


def present(names: tuple[str, ...]) -> list[str]:
    """Those of the test directories that hold tests."""
    return [f"tests/{name}" for name in names if any(Path("tests", name).glob("test_*.py"))]


def job_once(path: str) -> interpreters.Job:
    """A job that runs one directory or file by a pytest of the build side."""
    name = str(Path(path).relative_to("tests").with_suffix(""))
    variables = {"PYTHONPATH": "src"}
    return functools.partial(interpreters.run_pytest, tools.command("pytest"), name, [path], variables, progress=True)


def all_jobs() -> list[interpreters.Job]:
    """Every pytest there is to run, the longest first."""
    files = [str(path) for name in present(ONCE_BY_FILE) for path in sorted(Path(name).glob("test_*.py"))]
    paths = [*present(ONCE), *files]
    if not is_long():
        print(f"left out (make test LONG=1 runs them): {', '.join(path for path in paths if path in LONG)}", flush=True)
        paths = [path for path in paths if path not in LONG]
    once = [job_once(path) for path in paths]
    everywhere = [job for path in present(EVERYWHERE) for job in interpreters.jobs([path])]
    newest = [item.name for item in interpreters.find() if not item.free_threaded][-1]
    ends = sorted({"2.7", newest})
    others = [job for flavour in ("system", "portable") for job in interpreters.jobs(present(("unit",)), flavour, ends)]
    return once + everywhere + others


def build_all() -> None:
    """Whatever a test may ask a build for: without a cache that takes longer than a test may."""
    for name in builds.COMMANDS:
        builds.bring_up_to_date(name)
    for arch in portable.ARCHITECTURES:
        if arch != os.uname().machine:
            builds.bring_up_to_date("portable", "--arch", arch)


def main(arguments: list[str]) -> int:
    if arguments:
        raise BuildError("make test takes no arguments; for a part of it run python -m toolkit.interpreters run PATH")
    started = time.monotonic()
    deps.main([])
    build_all()
    waiting = all_jobs()
    print(f"{len(waiting)} runs of pytest, a line as each ends; logs are in {interpreters.LOGS}", flush=True)
    # One more than there are processors: package managers and pips wait for disks and peers much of their time.
    outcomes = interpreters.run_jobs(waiting, (os.cpu_count() or 1) + 1)
    print(f"all tests took {time.monotonic() - started:.0f} s; logs are in {interpreters.LOGS}", flush=True)
    # After the tests, which show sooner what is wrong; their closing line stays the last.
    unproven = proofs.run(os.environ.get("SHARE")) if is_long() else []
    status = interpreters.summarise(outcomes)
    return 1 if unproven else status


if __name__ == "__main__":
    run_main(main)
