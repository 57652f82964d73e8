# SPDX-License-Identifier: Apache-2.0
"""Speeds are compared on a machine that changes its own: what `make bench` makes of samples that were taken meanwhile."""

import functools
import itertools

import pytest

from toolkit.bench import rounds
from toolkit.bench.goals import CONTROL, REFERENCE, Measurement
from toolkit.bench.workers import Contender

OURS, OTHER = Contender("module", "3.11"), Contender("ssl", "3.11")
TRUE = {REFERENCE: 100.0, OURS: 90.0, OTHER: 45.0, CONTROL: 100.0}
ORDER = (REFERENCE, OURS, OTHER, CONTROL)


class Machine:
    """Gives each contender its true speed times that of the machine, which follows a pattern, one step a sample."""

    def __init__(self, *pattern):
        self.speeds = itertools.cycle(pattern)
        self.samples = 0

    def ask(self, who):
        self.samples += 1
        return TRUE[who] * next(self.speeds)


def ratios(machine, tries=8):
    found = rounds.beside_reference(ORDER, machine.ask, tries)
    return {who: found[who] / found[REFERENCE] for who in ORDER}


@pytest.mark.parametrize("slow", [2, 3, 5, 17, 60])
def test_a_machine_that_works_at_half_speed_at_times_changes_no_ratio(slow):
    """It is slow for so many samples and fast for 23, so the places where it changes wander over the contenders."""
    found = ratios(Machine(*[0.5] * slow, *[1.0] * 23))
    assert found == pytest.approx({REFERENCE: 1.0, OURS: 0.9, OTHER: 0.45, CONTROL: 1.0})


def test_without_the_reference_around_each_sample_such_a_machine_would_change_them(monkeypatch):
    """The control: with every sample counted, the same machine gives other ratios."""
    machine = (0.5, 0.5, 1.0, 1.0, 1.0)
    assert ratios(Machine(*machine)) == pytest.approx({REFERENCE: 1.0, OURS: 0.9, OTHER: 0.45, CONTROL: 1.0})
    monkeypatch.setattr(rounds, "STEADY", 1.0)
    assert ratios(Machine(*machine), tries=1)[OURS] != pytest.approx(0.9)


def test_a_steady_machine_is_asked_no_more_than_needed():
    machine = Machine(1.0)
    ratios(machine, tries=8)
    assert machine.samples == 1 + 2 * 3 * 8


def test_a_machine_that_never_keeps_its_speed_is_given_up_and_shows_as_noise():
    machine = Machine(1.0, 0.6, 0.3)
    found = ratios(machine, tries=8)
    assert machine.samples == 1 + 2 * 3 * 8 * rounds.PATIENCE
    series = rounds.Series("any", "MB/s", {REFERENCE: [1.0] * 3, CONTROL: [found[CONTROL]] * 3})
    assert series.is_noisy()


class Clocked(Machine):
    """Never steady, and each sample takes a second of the clock that it is."""

    def __init__(self):
        super().__init__(1.0, 0.6, 0.3)

    def now(self):
        return float(self.samples)


PASS = 2 * 3  # samples of one attempt: three contenders, the reference after each


def test_on_a_machine_that_never_keeps_its_speed_no_sample_is_taken_when_the_time_is_over():
    machine = Clocked()
    budget = rounds.Budget(100.0, 4, machine.now)
    for turn in (1, 2, 3, 4):
        found = rounds.beside_reference(ORDER, machine.ask, 8, has_time=budget.turn())
        assert set(found) == set(ORDER)
        assert 25 * turn <= machine.samples <= 25 * turn + PASS


def test_everybody_has_a_sample_when_there_was_no_time_at_all():
    machine = Clocked()
    found = rounds.beside_reference(ORDER, machine.ask, 8, has_time=rounds.Budget(0.0, 1, machine.now).turn())
    assert set(found) == set(ORDER) and machine.samples == 1 + PASS


def test_time_that_a_turn_leaves_is_the_later_ones():
    machine = Clocked()
    budget = rounds.Budget(100.0, 2, machine.now)
    budget.turn()
    rounds.beside_reference(ORDER, machine.ask, 30, has_time=budget.turn())
    assert 100 <= machine.samples <= 100 + PASS


def test_all_rounds_together_keep_to_the_limit(monkeypatch):
    machine = Clocked()
    monkeypatch.setattr(rounds, "Budget", functools.partial(rounds.Budget, clock=machine.now))
    crew = Negotiating()
    crew.ask = lambda who, *_: {"value": machine.ask(who)}
    work = [Measurement(name, "bulk {seconds}", "MB/s", kinds=("module", "ssl")) for name in ("one", "two")]
    found = rounds.run(work, crew, 3, 200, 0.1, limit=300.0)
    warming_up = 2 * len(ORDER)
    assert 300 <= machine.samples - warming_up <= 300 + 6 * (1 + PASS)
    assert all(len(values) == 3 for each in found for values in each.samples.values())


class Negotiating:
    """Contenders that all do the same but for what each test says; `equipment` is what rounds.contenders() asks for."""

    def __init__(self, **facts):
        self.facts = facts
        self.equipment = self
        self.pythons = self.pyopenssl = self.bare = {"3.11": None}

    def ask(self, who, command, suite, group):
        usual = {"value": 1.0, "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256", "group": "x25519"}
        return {**usual, **self.facts} if who == OTHER else usual


@pytest.mark.parametrize(
    ("name", "value"), [("version", "TLSv1.2"), ("cipher", "TLS_AES_256_GCM_SHA384"), ("group", "X25519MLKEM768")]
)
def test_who_negotiates_something_else_is_not_measured(name, value):
    work = Measurement("handshake", "handshake {seconds}", "1/s", kinds=("module", "ssl"))
    (found,) = rounds.run([work], Negotiating(**{name: value}), 1, 1, 0.1)
    assert list(found.refused) == [OTHER] and value in found.refused[OTHER]
    assert set(found.samples) == {REFERENCE, OURS, CONTROL}


def test_who_negotiates_the_same_is_measured():
    work = Measurement("handshake", "handshake {seconds}", "1/s", kinds=("module", "ssl"))
    (found,) = rounds.run([work], Negotiating(group="X25519"), 1, 1, 0.1)
    assert not found.refused and OTHER in found.samples


@pytest.mark.parametrize("middle, decided", [(0.90, True), (1.00, True), (1.015, False), (1.02, False), (1.04, True)])
def test_rounds_go_on_while_the_verdict_might_turn(middle, decided):
    """Of 25 ratios 0.002 apart the median's error is 3 places, so the limit has to be 6 away: 0.012."""
    ratios = [middle + 0.002 * place for place in range(-12, 13)]
    assert rounds.is_decided(ratios, 1.02) is decided
    assert rounds.is_decided(ratios[::-1], 1.02) is decided


def test_a_few_rounds_that_differ_much_decide_less_than_many():
    few = [0.97, 1.0, 1.03]
    assert not rounds.is_decided(few, 1.02)
    assert rounds.is_decided(sorted(few * 20), 0.96)
