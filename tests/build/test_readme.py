# SPDX-License-Identifier: Apache-2.0
"""What README.md tells a person to type is true."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

README = Path("README.md").read_text(encoding="utf-8")
MAKEFILE = Path("Makefile").read_text(encoding="utf-8")


def section(title: str) -> str:
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.M | re.S)[1]


def commands(text: str) -> list[str]:
    """The lines of indented blocks, without their comments."""
    lines = re.findall(r"^    (\S.*)$", text, re.M)
    return [re.sub(r"\s+#.*", "", line) for line in lines]


def verbs() -> set[str]:
    return set(re.findall(r"^([a-z0-9.-]+):.*## ", MAKEFILE, re.M))


def test_the_two_commands_are_the_first_two():
    assert commands(README)[:2] == ["make demo", "make test"]


def test_ci_runs_the_test_command_and_nothing_else():
    script = Path(".ci/run")
    assert os.access(script, os.X_OK)
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines == ['cd "$(dirname "$0")/.." && exec env LONG=1 make test']
    assert "make test" in commands(section("The two commands"))


def test_every_verb_it_names_exists():
    named = {words[1] for words in (line.split() for line in re.findall(r"make [a-z][a-z0-9.-]*", README))}
    assert named
    assert named <= verbs()


def test_every_variable_it_explains_is_read_somewhere():
    table = section("Build")
    names = set(re.findall(r"`([A-Z][A-Z0-9_]+)(?:=1)?`", "\n".join(re.findall(r"^\| (`[^|]*)\|", table, re.M))))
    assert len(names) > 15
    code = MAKEFILE + "".join(path.read_text(encoding="utf-8") for path in Path("src").rglob("*.py"))
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b|PYTHON%d", code)] == []


@pytest.mark.parametrize("command", commands(section("Build")))
def test_the_build_commands_work(command):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAKEFLAGS")}
    done = subprocess.run(
        ["sh", "-c", command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
