# SPDX-License-Identifier: Apache-2.0
"""`make bench`: the module against raw C over the same OpenSSL, against `ssl` and pyOpenSSL, measured in turns.

    python -m toolkit.bench [--quick] [--pythons 2.7,3.13] [--parts bulk,import,...] [--flavour portable]

Prints a table of goals and ratios and writes build/bench/bench.json and bench.html. Times are CPU times. The exit
status tells only whether it could measure: a goal that is missed is in the table. The quick mode has fewer kinds of
work and fewer rounds, and takes no more samples on a noisy machine than it has time for.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openssl.errors import BuildError, run_main
from openssl.toolchain import Toolchain
from toolkit import builds
from toolkit.bench import fresh, instructions, limits, pip, report, setup
from toolkit.bench import goals as bench_goals
from toolkit.bench import rounds as bench_rounds
from toolkit.bench.rounds import Series
from toolkit.bench.workers import Contender, Crew, Equipment, Failed


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds, samples a round, CPU seconds a sample, and the sizes of what is counted once."""

    quick: bool
    rounds: int
    tries: int
    seconds: float
    limit: float  #: s of the clock for all samples of standing processes
    fresh_rounds: int
    import_tries: int
    thread_seconds: float
    pairs: int
    pip_rounds: int
    pip_most_rounds: int  #: where the verdict might turn
    pip_limit: float  #: s of the clock for all downloads
    pip_trusts: tuple[str, ...]
    megabytes: tuple[int, ...]
    growth_tries: int
    connections: tuple[int, ...]


FULL = Effort(
    quick=False, rounds=5, tries=6, seconds=0.004, limit=math.inf, fresh_rounds=7, import_tries=6, thread_seconds=0.4,
    pairs=300, pip_rounds=9, pip_most_rounds=60, pip_limit=math.inf, pip_trusts=(pip.USUAL, pip.ALONE),
    megabytes=(1, 16, 256, 1024), growth_tries=4, connections=(100, 1000, 10000),
)  # fmt: skip
QUICK = Effort(
    quick=True, rounds=3, tries=4, seconds=0.004, limit=50.0, fresh_rounds=3, import_tries=4, thread_seconds=0.2,
    pairs=100, pip_rounds=3, pip_most_rounds=3, pip_limit=20.0, pip_trusts=(pip.USUAL,),
    megabytes=(1, 64), growth_tries=2, connections=(100, 1000),
)  # fmt: skip

#: Parts measured by standing processes.
STANDING: dict[str, Callable[[bool], Any]] = {
    "bulk": bench_goals.bulk,
    "handshake": bench_goals.handshakes,
    "socket": bench_goals.sockets,
}
PARTS = (*STANDING, "import", "context", "memory", "threads", "growth", "pip", "instructions", "limits")
#: Take minutes with any effort.
SLOW = ("instructions", "limits")


def measure(crew: Crew, effort: Effort, parts: set[str]) -> tuple[list[Series], dict[str, Any]]:
    """All series, and what is no ratio."""
    work = [each for name, make in STANDING.items() if name in parts for each in make(effort.quick)]
    series = bench_rounds.run(work, crew, effort.rounds, effort.tries, effort.seconds, effort.limit) if work else []
    extra: dict[str, Any] = {}
    if "threads" in parts:
        series += fresh.threads(crew, effort.fresh_rounds, effort.thread_seconds)
    if "import" in parts:
        series += fresh.imports(crew, effort.fresh_rounds, effort.import_tries)
    if "context" in parts:
        series += fresh.contexts(crew, effort.fresh_rounds)
    if "memory" in parts:
        series += fresh.memory(crew, 1, effort.pairs)
    if "growth" in parts:
        extra["growth"] = fresh.growth(crew, effort.megabytes, effort.connections, effort.growth_tries)
        series += fresh.flatness(extra["growth"])
    if "pip" in parts:
        rounds = effort.pip_rounds, effort.pip_most_rounds
        series += pip.downloads(*rounds, effort.pip_trusts, effort.pip_limit, crew.equipment.flavour)
    if "instructions" in parts:
        wanted = bench_goals.instruction_goals(tuple(crew.equipment.pythons))
        series += [*instructions.count(crew, list(bench_goals.counted()), wanted), *pip.count(flavour=crew.equipment.flavour)]
    if "limits" in parts:
        extra["limits"] = limits.find(crew, effort.rounds, effort.tries, effort.seconds)
    return series, extra


def versions(crew: Crew) -> dict[str, str]:
    """Who took part, with which OpenSSL, and what C and ours are compiled with."""
    made_by = Toolchain(setup.compiler(crew.equipment.flavour)).identity
    found = {"build": f"{crew.equipment.flavour}, {made_by}", "C": crew.ask(bench_goals.REFERENCE, "hello")["openssl"]}
    for language in crew.equipment.pythons:
        for kind in ("module", "ssl", *(["pyOpenSSL"] if language in crew.equipment.pyopenssl else [])):
            who = Contender(kind, language)
            try:
                answer = crew.ask(who, "hello")
                found[str(who)] = f"{answer['openssl']} on Python {answer['python']}"
            except Failed as problem:
                found[str(who)] = f"not measured: {problem}"
    return found


def appendix(extra: dict[str, Any]) -> dict[str, str]:
    """What is no ratio, as text by its heading."""
    made = {}
    if "growth" in extra:
        made["Growth"] = "\n".join(report.growth_lines(name, growth) for name, growth in extra["growth"].items())
    if "limits" in extra:
        made["Limits"] = report.columns(limits.rows(extra["limits"]))
    return made


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.bench", description="Measure speed and memory against the goals.")
    parser.add_argument("--quick", action="store_true", help="fewer kinds of work and rounds: under 3 minutes")
    parser.add_argument("--pythons", default=",".join(setup.LANGUAGES), help="versions, separated by commas")
    left_out = " and ".join(SLOW)
    parser.add_argument("--parts", default="", help=f"of {','.join(PARTS)}; without it all, with --quick all but {left_out}")
    parser.add_argument(
        "--flavour", choices=setup.FLAVOURS, default="bundled", help="portable: the packages' binaries, and C by their compiler"
    )
    chosen = parser.parse_args(arguments)
    parts, languages = set(chosen.parts.split(",")), tuple(chosen.pythons.split(","))
    if not chosen.parts:
        parts = set(PARTS) - set(SLOW if chosen.quick else ())
    if parts - set(PARTS):
        raise BuildError(f"--parts: there is no {', '.join(sorted(parts - set(PARTS)))}; choose from {', '.join(PARTS)}")
    effort = QUICK if chosen.quick else FULL
    for name in ("build", "portable") if chosen.flavour == "portable" else ("build",):
        builds.bring_up_to_date(name)
    started = time.monotonic()
    crew = Crew(Equipment.prepare(languages, chosen.flavour))
    try:
        known = versions(crew)
        series, extra = measure(crew, effort, parts)
    finally:
        crew.close()
    goals = [*bench_goals.goals(languages), *bench_goals.instruction_goals(languages)]
    goals += [*bench_goals.fresh_goals(languages), *pip.goals(), *pip.instruction_goals()]
    verdicts = bench_rounds.judge(goals, series)
    found = report.document(series, verdicts, {"versions": known, "quick": effort.quick, **extra})
    further = appendix(extra)
    data, page = report.write(setup.OUTPUT, found, verdicts, further)
    print("\n".join([report.table(verdicts), *further.values()]))
    for each in series:
        for who, reason in each.refused.items():
            print(f"not measured: {who} in {each.name}: {reason}")
    reached = sum(each.reached for each in verdicts)
    measurable = sum(each.measurable for each in verdicts)
    print(
        f"{reached} of {measurable} goals reached, {sum(each.beyond_c for each in verdicts)} missed by C itself too, "
        f"{sum(each.beyond_bare and not each.beyond_c for each in verdicts)} by a bare module, "
        f"{len(verdicts) - measurable} not measurable; {found['noise']}"
    )
    print(f"bench: {time.monotonic() - started:.0f} s; {data} and {page}")
    return 0


if __name__ == "__main__":
    run_main(main)
