# SPDX-License-Identifier: Apache-2.0
"""Takes samples in turns and makes ratios of neighbours, so that what the machine does besides hits all alike."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.bench.goals import CONTROL, REFERENCE, Goal, Measurement
from toolkit.bench.workers import Contender, Crew, Failed

#: The reference against itself: how far its median may be from 1, and how far its rounds from each other.
MEDIAN_TOLERANCE = 0.05
SPREAD_TOLERANCE = 0.25
#: How far the reference's speeds just before and just after a sample may differ for the sample to count.
STEADY = 0.05
#: A contender is asked at most so many times for each sample that counts.
PATIENCE = 3


class Budget:
    """Seconds on the clock for so many turns, dealt out evenly; what a turn leaves, the later ones have too."""

    def __init__(self, seconds: float, turns: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._each = seconds / turns if turns else 0.0
        self._end = clock()

    def turn(self) -> Callable[[], bool]:
        """Begin the next turn. What is returned tells whether there is time left in it."""
        self._end = end = self._end + self._each
        return lambda: self._clock() < end


#: The one contender that can do its work over sockets only.
WITHOUT_MEMORY_BIO = Contender("ssl", "2.7")


@dataclass
class Series:
    """The samples of one measurement: for each contender one number a round (None where it could not)."""

    name: str
    unit: str
    samples: dict[Contender, list[float]] = field(default_factory=dict)
    refused: dict[Contender, str] = field(default_factory=dict)

    def ratios(self, ours: Contender, other: Contender | None) -> list[float]:
        """Round by round; [] where one of the two has no samples. Without `other` the samples themselves."""
        if other is None:
            return list(self.samples.get(ours, []))
        pairs = zip(self.samples.get(ours, []), self.samples.get(other, []))  # both have one number a round
        return [one / two for one, two in pairs if two > 0]

    def noise(self) -> tuple[float, float]:
        """(distance of the median from 1, spread) of the reference against itself; zeros where it was not measured."""
        control = self.ratios(CONTROL, REFERENCE)
        if not control:
            return 0.0, 0.0
        return abs(statistics.median(control) - 1), max(control) - min(control)

    def is_noisy(self) -> bool:
        """Whether the same program's figures differ so much that other differences mean little."""
        distance, spread = self.noise()
        return distance > MEDIAN_TOLERANCE or spread > SPREAD_TOLERANCE


def is_decided(ratios: Sequence[float], limit: float) -> bool:
    """Whether more rounds would hardly turn the verdict: the limit is two standard errors from the median, or more.

    The error supposes nothing of how the ratios are spread: of n, the median lies two times in three between those that
    are the root of n, halved, places before and behind the middle.
    """
    ordered = sorted(ratios)
    middle, away = (len(ordered) - 1) / 2, math.sqrt(len(ordered)) / 2
    low, high = max(0, math.floor(middle - away)), min(len(ordered) - 1, math.ceil(middle + away))
    return abs(statistics.median(ordered) - limit) >= ordered[high] - ordered[low]


@dataclass(frozen=True)
class Verdict:
    """A goal and what came of it: least, median and greatest ratio.

    of_c: what C has, where the goal is not over C; of_bare: what a bare module for the same Python has.
    """

    goal: Goal
    unit: str
    least: float
    median: float
    greatest: float
    noisy: bool
    measurable: bool = True
    of_c: float | None = None
    of_bare: float | None = None

    @property
    def reached(self) -> bool:
        """By the median."""
        return self.measurable and self.goal.reached(self.median)

    @property
    def beyond_c(self) -> bool:
        """Whether C over the same OpenSSL misses it as well."""
        return not self.reached and self.of_c is not None and not self.goal.reached(self.of_c)

    @property
    def beyond_bare(self) -> bool:
        """Whether a bare module, which hardly any module for that Python is faster than, misses it as well."""
        return not self.reached and self.of_bare is not None and not self.goal.reached(self.of_bare)

    def word(self) -> str:
        """For the table."""
        if not self.measurable:
            return "not measurable"
        if self.reached:
            return "reached"
        if self.beyond_c:
            return f"missed (C itself has {self.of_c:.2f})"
        if self.beyond_bare:
            return f"missed (a bare module has {self.of_bare:.3f})"
        within = self.goal.reached(self.least) or self.goal.reached(self.greatest)
        return "missed (within the noise)" if within else "missed"


def judge(goals: Iterable[Goal], series: Iterable[Series]) -> list[Verdict]:
    """A verdict for each goal whose two sides were measured."""
    known = {each.name: each for each in series}
    verdicts = []
    for goal in goals:
        found = known.get(goal.measurement)
        ratios = found.ratios(goal.ours, goal.other) if found else []
        if found and ratios:
            middle = statistics.median(ratios)
            measurable = goal.other is None or statistics.median(found.samples[goal.other]) >= goal.needed
            verdicts.append(
                Verdict(
                    goal, found.unit, min(ratios), middle, max(ratios), found.is_noisy(), measurable,
                    of_c=_limit(found, goal, REFERENCE), of_bare=_limit(found, goal, Contender("bare", goal.ours.python)),
                )
            )  # fmt: skip
    return verdicts


def _limit(found: Series, goal: Goal, who: Contender) -> float | None:
    """What another contender has over the one that the goal is over; None for itself, and where less is better."""
    ratios = found.ratios(who, goal.other) if goal.other not in (None, who) and not goal.at_most else []
    return statistics.median(ratios) if ratios else None


def contenders(measurement: Measurement, crew: Crew) -> list[Contender]:
    """Who takes part, the reference first and its double last."""
    equipment = crew.equipment
    known = {"bare": equipment.bare, "pyOpenSSL": equipment.pyopenssl}
    taking_part = [
        Contender(kind, language)
        for kind in measurement.kinds
        for language in equipment.pythons
        if language in known.get(kind, equipment.pythons)
    ]
    if not measurement.name.startswith("socket"):
        taking_part = [who for who in taking_part if who != WITHOUT_MEMORY_BIO]
    return [REFERENCE, *taking_part, CONTROL]


def run(
    measurements: Sequence[Measurement], crew: Crew, rounds: int, tries: int, seconds: float, limit: float = math.inf
) -> list[Series]:
    """Sample every measurement `rounds` times, each sample being `seconds` of CPU, all in about `limit` s of the clock."""
    made = {each.name: Series(each.name, each.unit) for each in measurements}
    for each in measurements:
        _take_part(each, crew, made[each.name])
    budget = Budget(limit, rounds * len(measurements))
    for number in range(rounds):
        print(f"bench: round {number + 1} of {rounds}", flush=True)
        for each in measurements:
            series = made[each.name]
            order = [who for who in contenders(each, crew) if who not in series.refused]
            command = each.command.format(seconds=each.longer * seconds)

            def ask(who: Contender, command: str = command, each: Measurement = each) -> float:
                return crew.ask(who, command, each.suite, each.group)["value"]

            turn = order if number % 2 == 0 else order[::-1]
            for who, value in beside_reference(turn, ask, tries, has_time=budget.turn()).items():
                series.samples.setdefault(who, []).append(value)
    return list(made.values())


def beside_reference(
    order: Iterable[Contender],
    ask: Callable[[Contender], float],
    tries: int,
    reference: Contender = REFERENCE,
    has_time: Callable[[], bool] = lambda: True,
) -> dict[Contender, float]:
    """The speed (or the cost) of each contender in one round.

    The reference is asked before and after each sample of another contender, and the sample is divided by the mean of
    the two. Where these differ the machine changed its speed meanwhile, often by half on one that others use, and the
    sample is taken again. That decides on samples by the reference alone, so it favours nobody. The median of `tries`
    such ratios, times the reference's median speed, is a contender's speed; if the machine was never steady, that of
    all ratios. Once everybody has a sample, none is taken when the time is over.
    """
    others = [who for who in order if who != reference]
    steady: dict[Contender, list[float]] = {who: [] for who in others}
    taken: dict[Contender, list[float]] = {who: [] for who in others}
    speeds = [ask(reference)]
    for attempt in range(tries * PATIENCE):
        if attempt > 0 and not has_time():
            break
        for who in [each for each in others if len(steady[each]) < tries]:
            value = ask(who)
            speeds.append(ask(reference))
            before, after = speeds[-2:]
            taken[who].append(value / math.sqrt(before * after))
            if abs(before - after) <= STEADY * max(before, after):
                steady[who].append(taken[who][-1])
        others.reverse()
    own = statistics.median(speeds)
    return {reference: own, **{who: own * statistics.median(steady[who] or taken[who]) for who in others}}


def _take_part(measurement: Measurement, crew: Crew, series: Series) -> None:
    """Warms everyone up, and sends away who cannot do this work or would do other work than the reference."""
    expected: dict[str, Any] = {}
    for who in contenders(measurement, crew):
        try:
            answer = crew.ask(who, measurement.command.format(seconds=0.01), measurement.suite, measurement.group)
        except Failed as problem:
            series.refused[who] = str(problem)
            continue
        facts = {name: answer.get(name) for name in ("version", "cipher", "group")}
        expected = expected or facts
        for name, value in facts.items():
            if value and expected[name] and value.lower() != expected[name].lower():
                series.refused[who] = f"negotiated {value} where C has {expected[name]}"
