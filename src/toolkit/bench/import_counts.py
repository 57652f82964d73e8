# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of an import, all of them, under callgrind: ours over those of `import ssl`.

    python -m toolkit.bench.import_counts [--pythons 2.7,3.13]

A process that only sets sys.path is taken off. Unlike the CPU time that `make bench` takes, it is the same on a busy
machine; 0.2 % of it depend on addresses.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from openssl.errors import run_main
from toolkit.bench import callgrind, fresh, goals, setup
from toolkit.interpreters import Interpreter


def executed(interpreter: Interpreter, code: str) -> int:
    """Instructions of a process that runs `code`, without site-packages and the caller's environment."""
    program = [interpreter.path, "-E", "-s", "-S", "-c", code]
    environment = {"PATH": os.defpath, "PYTHONHASHSEED": "0"}
    return callgrind.run(program, environment, Path(os.devnull))


def ratios(interpreter: Interpreter, tree: Path) -> dict[str, float]:
    """Kind of import -> ours over that of `ssl`; the tree has the interpreter's byte code."""
    start = f"import sys; sys.path.insert(0, {str(tree)!r})"
    empty = executed(interpreter, start)
    found = {}
    for name, kinds in fresh.IMPORTS.items():
        above = {kind: executed(interpreter, f"{start}; {statement}") - empty for kind, statement in kinds.items()}
        found[name] = above["module"] / above["ssl"]
    return found


def limits(language: str) -> dict[str, float]:
    """Kind of import -> the most that it may be, as `make bench` has it."""
    return {goal.measurement: goal.limit for goal in goals.fresh_goals((language,)) if goal.measurement in fresh.IMPORTS}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.bench.import_counts", description="Count instructions of imports.")
    parser.add_argument("--pythons", default=",".join(setup.LANGUAGES), help="versions, separated by commas")
    missed = 0
    for interpreter in setup.pythons(tuple(parser.parse_args(arguments).pythons.split(","))):
        wanted = limits(interpreter.name)
        for name, ratio in ratios(interpreter, setup.tree(interpreter)).items():
            print(f"{interpreter.name:5} {name:16} {ratio:.3f} of import ssl, goal {wanted[name]}", flush=True)
            missed += ratio > wanted[name]
    return 1 if missed else 0


if __name__ == "__main__":
    run_main(main)
