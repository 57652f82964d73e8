# SPDX-License-Identifier: Apache-2.0
"""What the work costs in instructions, C's and pyOpenSSL's over ours: what no other load on the machine can change.

Each contender does all the work under callgrind, which writes down what it has counted whenever it looks at the clock:
what lies between the two looks of a command is the work. That is everything outside the kernel: ours,
OpenSSL's, Python's, the C library's. Not in it is what the kernel costs, and what memory and caches cost.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from openssl.errors import BuildError
from toolkit.bench import callgrind, counts, setup
from toolkit.bench.goals import Goal, Measurement
from toolkit.bench.rounds import Series
from toolkit.bench.workers import Contender, Crew

#: Each command is given so often, and the last time counts: tickets and whatever is made when first needed are not work.
TIMES = 3

#: The functions that do that: in reference.c, and behind time.process_time() and 2.7's time.clock() in worker.py.
CLOCKS = {"C": ["clock_gettime*"], **{kind: ["time_process_time", "time_clock"] for kind in ("module", "bare", "pyOpenSSL")}}


def count(crew: Crew, work: Sequence[Measurement], wanted: Iterable[Goal]) -> list[Series]:
    """For each kind of work how often a thousand million instructions do it, by whom the goals name. Raises BuildError."""
    sides = {(goal.measurement, who) for goal in wanted for who in (goal.ours, goal.other) if who}
    jobs: dict[Contender, list[Measurement]] = {}
    for each in work:
        for who in sorted({who for name, who in sides if name == f"instructions {each.name}"}, key=str):
            if who.kind != "pyOpenSSL" or who.python in crew.equipment.pyopenssl:
                jobs.setdefault(who, []).append(each)
    print(f"bench: counting instructions of {len(jobs)} contenders", flush=True)
    series = {each.name: Series(f"instructions {each.name}", "per 10⁹ instructions") for each in work}
    for who, counted in events(crew, jobs).items():
        for each, numbers in zip(jobs[who], counted):
            series[each.name].samples[who] = [1e9 / numbers["Ir"]]
    return list(series.values())


def events(crew: Crew, jobs: Mapping[Contender, Sequence[Measurement]], *options: str) -> dict[Contender, list[dict[str, int]]]:
    """What callgrind counts (Ir are instructions; options may ask for more) for each one's work. Raises BuildError."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(zip(jobs, pool.map(lambda who: _events(crew, who, jobs[who], options), jobs)))


def _events(crew: Crew, who: Contender, work: Sequence[Measurement], options: Sequence[str]) -> list[dict[str, int]]:
    """For each kind of work, done once: a time limit of 0 ends it after that."""
    commands = [each.command.format(seconds=0) for each in work for _ in range(TIMES)]
    configuration = setup.configuration("aes128", "X25519") if who.kind == "pyOpenSSL" else None
    words, environment = crew.equipment.command(who, configuration)
    with tempfile.TemporaryDirectory() as directory:
        looks = [f"--dump-before={name}" for name in CLOCKS[who.kind]]
        variables = {**environment, "OPENSSL_ia32cap": counts.PROCESSOR}
        given = "".join(f"{line}\n" for line in commands)
        callgrind.run(words, variables, Path(directory, "profile"), *looks, *options, given=given)
        parts = dict(_part(path) for path in Path(directory).iterdir())
    # The first part ends where the first command begins, the last one is the end of the program.
    if len(parts) != 2 * len(commands) + 1:
        raise BuildError(f"{who} looked at the clock {len(parts) - 1} times in {len(commands)} commands: see {__name__}")
    return [parts[2 * TIMES * (place + 1)] for place in range(len(work))]


def _part(path: Path) -> tuple[int, dict[str, int]]:
    """(number of the part, from 1; events in it) from the first lines of one of callgrind's files."""
    known: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            found = re.match(r"(part|events|summary): (.+)", line)
            if found:
                known[found[1]] = found[2].split()
            if "summary" in known:
                break
    try:
        names, totals = known["events"], known["summary"]  # zeros at the end may be left out
        return int(known["part"][0]), dict(itertools.zip_longest(names, map(int, totals), fillvalue=0))
    except KeyError as error:
        raise BuildError(f"{path}: callgrind wrote no {error.args[0]}") from error
