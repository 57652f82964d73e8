# SPDX-License-Identifier: Apache-2.0
"""`make test`: builds, then runs every test there is; the last line is "N passed, N failed, N skipped"."""

from __future__ import annotations

import concurrent.futures
import time
from pathlib import Path

from openssl.errors import BuildError, run_main
from toolkit import builds, deps, interpreters, tools

#: Directories under tests/ that run on every interpreter, unchanged from 2.7 to the newest.
EVERYWHERE = ("unit", "conformance", "isolation")
#: Those that run once, under the build side's pytest; they start roots, package managers and pips themselves.
ONCE = ("build", "pip", "packages")


def present(names: tuple[str, ...]) -> list[str]:
    """Those of the test directories that hold tests."""
    return [f"tests/{name}" for name in names if any(Path("tests", name).glob("test_*.py"))]


def run_once(paths: list[str]) -> list[interpreters.Outcome]:
    """Run each of these directories by one pytest of the build side; two at a time, since they wait a lot."""

    def run(path: str) -> interpreters.Outcome:
        print(f"{path} (log: {interpreters.LOGS})", flush=True)
        variables = {"PYTHONPATH": "src"}
        outcome = interpreters.run_pytest(tools.command("pytest"), Path(path).name, [path], variables, progress=True)
        interpreters.tell(outcome)
        return outcome

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, paths))


def main(arguments: list[str]) -> int:
    if arguments:
        raise BuildError("make test takes no arguments; for a part of it run python -m toolkit.interpreters run PATH")
    started = time.monotonic()
    deps.main([])
    for name in builds.COMMANDS:
        builds.bring_up_to_date(name)
    outcomes = []
    for path in present(EVERYWHERE):
        print(f"{path} on every interpreter", flush=True)
        outcomes += interpreters.run_everywhere([path])
    newest = [item.name for item in interpreters.find() if not item.free_threaded][-1]
    for path in present(("unit",)):
        print(f"{path} against the system's OpenSSL", flush=True)
        outcomes += interpreters.run_everywhere([path], "system", sorted({"2.7", newest}))
    outcomes += run_once(present(ONCE))
    print(f"all tests took {time.monotonic() - started:.0f} s; logs are in {interpreters.LOGS}", flush=True)
    return interpreters.summarise(outcomes)


if __name__ == "__main__":
    run_main(main)
