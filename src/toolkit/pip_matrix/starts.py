# SPDX-License-Identifier: Apache-2.0
"""Starts an interpreter again and again with changing files in its site directory, and tells the CPU time of each start.

    python3 -I -S starts.py PLAN

PLAN is JSON, and so is what is printed (see ``main``). A program of its own, since it is run in the roots of
distributions, by their python3; -S because its own start is not to meet the files that it moves.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

STARTS = 3
#: How many finders the files in the site directory have left to the interpreter, as its exit status.
WITNESS = "import sys; sys.exit(len(sys.meta_path))"


def start(program: str, statement: str) -> tuple[int, float]:
    """(exit status, CPU milliseconds of user and system) of one start."""
    process = os.posix_spawn(program, [program, "-c", statement], os.environ)
    _, status, usage = os.wait4(process, 0)
    return os.waitstatus_to_exitcode(status), 1000 * (usage.ru_utime + usage.ru_stime)


def cheapest(program: str) -> float:
    """CPU milliseconds of the cheapest of some starts, what disturbs being never cheaper than nothing."""
    results = [start(program, "pass") for _ in range(STARTS)]
    if any(status for status, _ in results):
        sys.exit(f"{program} -c pass ended with status {max(status for status, _ in results)}")
    return min(time for _, time in results)


def move(names: Iterable[str], source: str, target: str) -> None:
    """Move files from one directory to the same places in another."""
    for name in names:
        os.rename(os.path.join(source, name), os.path.join(target, name))


def main(plan: dict[str, Any]) -> dict[str, Any]:
    """``plan``: the program, its site directory, the shelf, the number of rounds, and variant -> files.

    Each variant's files lie at the same places below the shelf, and are in the site
    directory while it is measured. The variants take turns. Returned are for each
    one the milliseconds of every round and the witness's answer.
    """
    site, shelf = plan["site"], plan["shelf"]
    found: dict[str, Any] = {variant: {"times": []} for variant in plan["variants"]}
    for number in range(plan["rounds"] + 1):
        for variant, names in plan["variants"].items():
            move(names, shelf, site)
            try:
                if number:
                    found[variant]["times"].append(cheapest(plan["program"]))
                else:  # files are read for the first time: not counted
                    found[variant]["finders"] = start(plan["program"], WITNESS)[0]
            finally:
                move(names, site, shelf)
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
