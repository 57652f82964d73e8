# SPDX-License-Identifier: Apache-2.0
"""Who is compared runs on the same processor: processes of `make bench`, asked where they may run."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toolkit.bench import fresh, processor, workers
from toolkit.bench.workers import Contender, Crew, Equipment

ONE, OTHER = Contender("module", "3.11"), Contender("module", "3.13")

#: Answers each line with the processors that it may run on, and how it copies memory.
TELLING = (
    "import json, os, sys\n"
    "for line in sys.stdin:\n"
    "    print(json.dumps({'on': sorted(os.sched_getaffinity(0)), 'copies': os.environ.get('GLIBC_TUNABLES')}), flush=True)\n"
)

#: Before anything is measured.
ALL = os.sched_getaffinity(0)

# With one processor everything is on it, whatever the code does: no test here could fail.
pytestmark = pytest.mark.skipif(len(ALL) < 2, reason="this machine has one processor")


@dataclasses.dataclass
class Told(Equipment):
    """Its contenders tell where they are."""

    def command(self, contender: Contender, configuration: Path | None) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, "-c", TELLING], super().command(contender, configuration)[1]


@pytest.fixture
def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crew]:
    monkeypatch.setattr(workers.setup, "OUTPUT", tmp_path)
    pythons = {each.python: dataclasses.make_dataclass("Python", [("path", str, sys.executable)])() for each in (ONE, OTHER)}
    made = Crew(Told(pythons=pythons, reference=tmp_path, certificates=tmp_path, trees={}, bare={}, pyopenssl={}))
    yield made
    made.close()


@pytest.mark.parametrize("command", ["bulk any", "socket tls13 aes128 16384 16 processes"])
def test_what_is_asked_in_turns_is_on_one_processor(command: str, crew: Crew) -> None:
    places = [crew.ask(who, command)["on"] for who in (ONE, OTHER, Contender("C"))]
    with crew.fresh(ONE) as alone:
        places.append(alone.ask("context any")["on"])
    assert len(places) == 4 and len(places[0]) == 1 and places == [places[0]] * len(places)


def test_what_is_about_two_processors_has_all(crew: Crew) -> None:
    crew.ask(ONE, "bulk any")
    assert crew.ask(ONE, "threads 16384 0.1")["on"] == sorted(ALL)
    assert len(crew.ask(ONE, "bulk any")["on"]) == 1


def test_everybody_copies_in_the_same_way(crew: Crew) -> None:
    told = {crew.ask(who, "bulk any")["copies"] for who in (ONE, OTHER, Contender("C"))}
    assert told == set(processor.SAME_COPIES.values())


def test_the_program_itself_has_all_processors_afterwards_even_of_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), processor.one():
        assert len(os.sched_getaffinity(0)) == 1
        raise ZeroDivisionError
    assert os.sched_getaffinity(0) == ALL


def test_a_program_whose_time_is_taken_is_on_one_processor(tmp_path: Path) -> None:
    told = tmp_path / "told"
    fresh.cpu_of([sys.executable, "-c", f"import os; open({str(told)!r}, 'w').write(str(len(os.sched_getaffinity(0))))"])
    assert told.read_text() == "1"
