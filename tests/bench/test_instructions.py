# SPDX-License-Identifier: Apache-2.0
"""The goals against C and pyOpenSSL, in instructions: what times can show on a quiet machine only, and this on any."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest
from openssl.errors import BuildError
from toolkit import interpreters
from toolkit.bench import goals, instructions, rounds
from toolkit.bench.workers import Crew, Equipment

#: Seconds; callgrind is fifty times slower than the processor.
pytestmark = pytest.mark.timeout(900)

PRESENT = {item.name for item in interpreters.find()}
LANGUAGES = tuple(name for name in ("2.7", "3.11") if name in PRESENT)
WORK = [each for each in goals.counted() if re.search("aes128 (1024|16384)$|resumed$", each.name)]


@pytest.fixture(scope="module")
def crew() -> Crew:
    if not LANGUAGES:
        pytest.skip("there is neither Python 2.7 nor 3.11 here")
    return Crew(Equipment.prepare(LANGUAGES))


def wanted(languages: tuple[str, ...]) -> list[goals.Goal]:
    """All but TLS 1.3 against pyOpenSSL: OpenSSL 4.0 needs less for the same, by more than Python needs for pyOpenSSL."""
    every = goals.instruction_goals(languages)
    return [each for each in every if each.other == goals.REFERENCE or "tls13" not in each.measurement]


def test_the_goals_are_reached(crew: Crew) -> None:
    verdicts = rounds.judge(wanted(LANGUAGES), instructions.count(crew, WORK, wanted(LANGUAGES)))
    against = [str(each.goal.other) for each in verdicts]
    assert against.count("C") == len(WORK) * len(LANGUAGES)
    assert against.count("pyOpenSSL 3.11") == LANGUAGES.count("3.11")
    assert [f"{each.goal.measurement}: {each.goal.ours} {each.median:.3f}" for each in verdicts if not each.reached] == []


def test_what_a_write_does_for_nothing_is_seen(crew: Crew, tmp_path: Path) -> None:
    """The negative control: an SSLObject whose writes go through Python, and there round and round."""
    language = LANGUAGES[-1]
    tree = tmp_path / "tree"
    shutil.copytree(crew.equipment.trees[language], tree)
    with (tree / "_tls_bootstrap" / "_object.py").open("a", encoding="utf-8") as stream:
        stream.write("\n\ndef _write(self, data):\n    sum(range(2000))\n    return super(SSLObject, self).write(data)\n\n\n")
        stream.write("SSLObject.write = _write\n")
    slowed = Crew(dataclasses.replace(crew.equipment, trees={**crew.equipment.trees, language: tree}))
    small = [each for each in WORK if each.name == "bulk tls13 aes128 1024"]
    verdicts = rounds.judge(wanted((language,)), instructions.count(slowed, small, wanted((language,))))
    assert [each.reached for each in verdicts] == [False]


def test_a_program_that_looks_at_the_clock_otherwise_is_an_error(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "CLOCKS", {"C": ["no_such_function"]})
    with pytest.raises(BuildError, match="C looked at the clock 0 times in 3 commands"):
        instructions.count(crew, WORK[:1], wanted(LANGUAGES))
