# SPDX-License-Identifier: Apache-2.0
"""The long proofs in shares: CI runs `make lint`, `make matrix` and the share that is its commit's turn.

    python -m toolkit.proofs [--share N]

All of them take longer than CI has. Which share is run depends on the commit alone, so that a run can be repeated, and
on successive commits they take turns by chance. SHARE=1, 2, ... in the environment chooses one, SHARE=all runs all.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from openssl.errors import BuildError, run_main

LOGS = Path("build", "log")
#: Short ones, in each run.
ALWAYS = ("lint", "matrix")
#: Verbs of the Makefile with what else make is told, by what takes about as long together: some twenty minutes on two
#: processors with a warm cache.
SHARES = (("audit",), ("pip-matrix", "conformance"), ("life-cycle LIFE_CYCLE=--share", "refcounts"))


def chosen(commit: str, asked: str | None) -> list[int]:
    """The shares to run, from 0: as `asked` ("1" is the first), else by the commit. Raises BuildError."""
    if asked in (None, ""):
        return [int(commit[:8], 16) % len(SHARES)]
    if asked == "all":
        return list(range(len(SHARES)))
    if not asked.isdigit() or not 1 <= int(asked) <= len(SHARES):
        raise BuildError(f"SHARE={asked}: choose one of 1 to {len(SHARES)}, or all")
    return [int(asked) - 1]


def commit() -> str:
    """The commit of this checkout as hexadecimal text; zeros outside of a checkout."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "0" * 40


def prove(words: str) -> bool:
    """Run a verb of the Makefile, its output in a log; whether it ended well."""
    verb, *variables = words.split()
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"proof-{verb}.log"
    print(f"proof: make {words}; log in {log}", flush=True)
    started = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "LONG", "SHARE")}
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(
            ["make", "--no-print-directory", verb, *variables], env=environment, stdin=subprocess.DEVNULL, stdout=stream,
            stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    took = time.monotonic() - started
    if done.returncode == 0:
        print(f"proof: make {verb}: ok, {took:.0f} s", flush=True)
        return True
    print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]))
    print(f"proof: make {verb} FAILED ({done.returncode}), {took:.0f} s; see {log}", flush=True)
    return False


def run(asked: str | None) -> list[str]:
    """Run what is always run and the shares that are chosen; returns the verbs that failed."""
    shares = chosen(commit(), asked)
    names = ", ".join(f"{number + 1} of {len(SHARES)} ({' '.join(SHARES[number])})" for number in shares)
    print(f"proofs: share {names}", flush=True)
    verbs = [*ALWAYS, *(verb for number in shares for verb in SHARES[number])]
    return [verb for verb in verbs if not prove(verb)]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.proofs", description="Run a share of the long proofs.")
    parser.add_argument("--share", help=f"1 to {len(SHARES)}, or all; default: by the commit")
    return 1 if run(parser.parse_args(arguments).share) else 0


if __name__ == "__main__":
    run_main(main)
