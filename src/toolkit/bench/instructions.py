# SPDX-License-Identifier: Apache-2.0
"""What the work costs in instructions, C's and pyOpenSSL's over ours: what no other load on the machine can change.

Each contender does all the work under callgrind, which writes down what it has counted whenever it looks at the clock:
what lies between the two looks of a command is the work. That is everything outside the kernel: ours,
OpenSSL's, Python's, the C library's. Not in it is what the kernel costs, and what memory and caches cost.
"""

from __future__ import annotations

import concurrent.futures
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from openssl.errors import BuildError
from toolkit.bench import callgrind, counts, setup
from toolkit.bench.goals import Goal, Measurement
from toolkit.bench.rounds import Series
from toolkit.bench.workers import Contender, Crew

#: Each command is given so often, and the last time counts: tickets and whatever is made when first needed are not work.
TIMES = 3

#: The functions that do that: in reference.c, and behind time.process_time() and 2.7's time.clock() in worker.py.
CLOCKS = {
    "C": ["clock_gettime*"],
    "module": ["time_process_time", "time_clock"],
    "pyOpenSSL": ["time_process_time", "time_clock"],
}


def count(crew: Crew, work: Sequence[Measurement], wanted: Iterable[Goal]) -> list[Series]:
    """For each kind of work how often a thousand million instructions do it, by whom the goals name. Raises BuildError."""
    sides = {(goal.measurement, who) for goal in wanted for who in (goal.ours, goal.other) if who}
    jobs: dict[Contender, list[Measurement]] = {}
    for each in work:
        for who in sorted({who for name, who in sides if name == f"instructions {each.name}"}, key=str):
            if who.kind != "pyOpenSSL" or who.python in crew.equipment.pyopenssl:
                jobs.setdefault(who, []).append(each)
    print(f"bench: counting instructions of {len(jobs)} contenders", flush=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        counted = list(pool.map(lambda who: _instructions(crew, who, jobs[who]), jobs))
    series = {each.name: Series(f"instructions {each.name}", "per 10⁹ instructions") for each in work}
    for who, numbers in zip(jobs, counted):
        for each, number in zip(jobs[who], numbers):
            series[each.name].samples[who] = [1e9 / number]
    return list(series.values())


def _instructions(crew: Crew, who: Contender, work: Sequence[Measurement]) -> list[int]:
    """Instructions for each kind of work, done once: a time limit of 0 ends it after that."""
    commands = [each.command.format(seconds=0) for each in work for _ in range(TIMES)]
    configuration = setup.configuration("aes128", "X25519") if who.kind == "pyOpenSSL" else None
    words, environment = crew.equipment.command(who, configuration)
    with tempfile.TemporaryDirectory() as directory:
        looks = [f"--dump-before={name}" for name in CLOCKS[who.kind]]
        variables = {**environment, "OPENSSL_ia32cap": counts.PROCESSOR}
        given = "".join(f"{line}\n" for line in commands)
        callgrind.run(words, variables, Path(directory, "profile"), *looks, given=given)
        parts = dict(_part(path) for path in Path(directory).iterdir())
    # The first part ends where the first command begins, the last one is the end of the program.
    if len(parts) != 2 * len(commands) + 1:
        raise BuildError(f"{who} looked at the clock {len(parts) - 1} times in {len(commands)} commands: see {__name__}")
    return [parts[2 * TIMES * (place + 1)] for place in range(len(work))]


def _part(path: Path) -> tuple[int, int]:
    """(number of the part, from 1; instructions in it) from the first lines of one of callgrind's files."""
    number = total = None
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            found = re.match(r"(part|summary): (\d+)", line)
            if found and found[1] == "part":
                number = int(found[2])
            elif found:
                total = int(found[2])
                break
    if number is None or total is None:
        raise BuildError(f"{path}: callgrind wrote no part or summary")
    return number, total
