# SPDX-License-Identifier: Apache-2.0
"""Starts an interpreter again and again with changing files in its site directory, and tells the CPU time of each start.

    python3 -I -S starts.py PLAN

PLAN is JSON, and so is what is printed (see ``main``). A program of its own, since it is run in the roots of
distributions, by their python3; -S because its own start is not to meet the files that it moves.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Iterable
from typing import Any

#: How far the starts without any file just before and just after another start may differ for that one to count.
STEADY = 0.05
#: A variant is started at most so many times for each start that counts.
PATIENCE = 2
#: How many finders the files in the site directory have left to the interpreter, as its exit status.
WITNESS = "import sys; sys.exit(len(sys.meta_path))"


def start(program: str, statement: str) -> tuple[int, float]:
    """(exit status, CPU milliseconds of user and system) of one start."""
    process = os.posix_spawn(program, [program, "-c", statement], os.environ)
    _, status, usage = os.wait4(process, 0)
    return os.waitstatus_to_exitcode(status), 1000 * (usage.ru_utime + usage.ru_stime)


def spent(program: str) -> float:
    """CPU milliseconds of one start that does nothing."""
    status, time = start(program, "pass")
    if status:
        sys.exit(f"{program} -c pass ended with status {status}")
    return time


def move(names: Iterable[str], source: str, target: str) -> None:
    """Move files from one directory to the same places in another."""
    for name in names:
        os.rename(os.path.join(source, name), os.path.join(target, name))


def main(plan: dict[str, Any]) -> dict[str, Any]:
    """``plan``: the program, its site directory, the shelf, the number of rounds, and variant -> files.

    Each variant's files lie at the same places below the shelf, and are in the site
    directory while it is measured. The variants take turns, and before and after
    each start there is one without any file, by whose mean it is divided. Where
    these two differ the machine changed its speed meanwhile, and the variant is
    started again. Returned are for each variant the milliseconds of all rounds,
    such ratios times the median of the starts without a file, and the witness's answer.
    """
    program, site, shelf = plan["program"], plan["site"], plan["shelf"]
    steady: dict[str, list[float]] = {variant: [] for variant in plan["variants"]}
    taken: dict[str, list[float]] = {variant: [] for variant in plan["variants"]}
    finders, bare = {}, [spent(program)]
    for number in range(1 + plan["rounds"] * PATIENCE):
        for variant, names in plan["variants"].items():
            if len(steady[variant]) >= plan["rounds"]:
                continue
            move(names, shelf, site)
            try:
                if number == 0:  # files are read for the first time: not counted
                    finders[variant] = start(program, WITNESS)[0]
                    continue
                time = spent(program)
            finally:
                move(names, site, shelf)
            bare.append(spent(program))
            before, after = bare[-2:]
            taken[variant].append(2 * time / (before + after))
            if abs(before - after) <= STEADY * max(before, after):
                steady[variant].append(taken[variant][-1])
    usual = statistics.median(bare)
    return {
        variant: {
            "times": [usual * ratio for ratio in (steady[variant] or taken[variant])[: plan["rounds"]]],
            "finders": finders[variant],
        }
        for variant in plan["variants"]
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
