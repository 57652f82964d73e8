# SPDX-License-Identifier: Apache-2.0
"""What limited machines run of `make life-cycle`: over the turns it is all of it, and nothing twice."""

import collections
import subprocess

import pytest
from openssl.errors import BuildError
from toolkit import life_cycle, tools
from toolkit.releases import TOP


def collected(words):
    command = [*tools.command("pytest"), "--collect-only", "-q", "-p", "no:cacheprovider", *words]
    environment = tools.pip_environment() | {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=TOP, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_the_turns_and_what_always_runs_are_the_whole_life_cycle():
    every = collected(["tests/life_cycle"])
    parts = collections.Counter()
    for part in (life_cycle.ALWAYS, *life_cycle.TURNS):
        parts.update(collected(part.arguments))
    assert sorted(parts) == sorted(every)
    assert [name for name, count in parts.items() if count > 1] == []


def test_the_commit_chooses_and_every_part_has_its_turn():
    assert {life_cycle.turn_of_commit(f"{number:040x}") for number in range(100)} == set(life_cycle.TURNS)
    assert life_cycle.turn_of_commit("a" * 40) == life_cycle.turn_of_commit("a" * 40)


def test_a_turn_is_named_by_its_number():
    assert life_cycle.shares("2") == [life_cycle.ALWAYS, life_cycle.TURNS[1]]
    for wrong in ("0", "99", "two"):
        with pytest.raises(BuildError, match=f"--share {wrong}: it is a number from 1 to {len(life_cycle.TURNS)}"):
            life_cycle.shares(wrong)
