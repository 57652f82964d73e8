# SPDX-License-Identifier: Apache-2.0
"""`tls-bootstrap status`, and which interpreters and pips the command finds: on a machine whose /usr/bin is a directory here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "command"))

from tls_bootstrap_command import files, interpreters, record, status  # noqa: E402  (needs the path set above)
from tls_bootstrap_command.guest import Guest, Workshop  # noqa: E402  (needs the path set above)

#: As many as RHEL 8 has.
VERSIONS = ("2.7", "3.6", "3.8", "3.9", "3.11", "3.12")
SCREEN = 24, 80


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The directory that is /usr/bin; what is recorded and switched is below the test's own directory too."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setattr(interpreters, "DIRECTORIES", (str(programs),))
    monkeypatch.setattr(interpreters, "LIBEXEC_PYTHON", str(tmp_path / "none"))
    monkeypatch.setattr(files, "DISABLED_FILE", str(tmp_path / "disabled"))
    monkeypatch.setattr(files, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(record, "RECORD", str(tmp_path / "state" / "check.json"))
    monkeypatch.setattr(record, "STALE_MARK", str(tmp_path / "state" / "stale"))
    return programs


def lines():
    with Workshop(Guest(keep_root=True)) as workshop:
        return list(status.lines(workshop))


def inspected():
    with Workshop(Guest(keep_root=True)) as workshop:
        found = interpreters.installed()
        for interpreter in found:
            interpreter.inspect(workshop)
        return found


class Report:
    reason = None

    def __init__(self, interpreter):
        self.interpreter, self.verdict = interpreter, 0


def test_the_state_of_many_pips_fits_on_one_screen(make, machine, tmp_path):
    made = {version: make(version).add_pip().add_module().add_hook() for version in VERSIONS}
    for version, installation in made.items():
        (machine / f"python{version}").symlink_to(installation.python)
    record.write([Report(interpreter) for interpreter in inspected()], 0)
    unlucky = made["3.8"]
    (unlucky.site / "pip" / "__init__.py").touch()
    (unlucky.site / "_tls_bootstrap_pip_finder.py").unlink()
    made["3.9"].core.unlink()
    assert lines()[-1].endswith("run `tls-bootstrap check --record`")  # once, below all of them
    (tmp_path / "state" / "stale").touch()
    (tmp_path / "disabled").touch()
    shown = lines()
    text = "\n".join(shown)
    for version, installation in made.items():
        state = "changed since the last check" if installation is unlucky else "used, unchanged since"
        (line,) = [line for line in shown if line.startswith(f"{machine}/python{version} ")]
        assert line.endswith(f": {state}")
    assert f"{tmp_path}/disabled (everybody)" in text
    assert "a package changed pip since then: run `tls-bootstrap check --record`" in text
    assert text.count("    pip hook   active, in ") == len(VERSIONS) - 1
    assert f"not active, damaged in {unlucky.site}" in text
    assert f"{made['3.9'].core} is missing" in text
    # Paths and messages are as long as they are on a system, and wrap as in a terminal.
    text = text.replace(str(machine), "/usr/bin").replace(str(tmp_path), "/etc/tls-bootstrap")
    for installation in made.values():
        text = text.replace(str(installation.site), f"/usr/lib64/python{installation.version}/site-packages")
    rows, columns = SCREEN
    assert sum(max(1, -(-len(line) // columns)) for line in text.splitlines()) <= rows, text


def test_without_a_record_the_status_says_how_to_make_one(make, machine):
    installation = make("3.9").add_pip().add_module()
    (machine / "python3").symlink_to(installation.python)
    shown = lines()
    assert "last check     none on record; run `tls-bootstrap check --record`" in shown
    assert "    pip hook   not installed" in shown
    assert shown[-2].endswith(f", in {installation.site}")


def test_every_interpreter_and_pip_is_found_once(make, machine):
    """Two names of one interpreter are one; a pip of a virtual environment is another, though its program is the same."""
    system, other = make("3.9").add_pip().add_module(), make("2.7").add_pip()
    for name in ("python3", "python3.9"):
        (machine / name).symlink_to(system.python)
    (machine / "python2.7").symlink_to(other.python)
    environment = system.root / "environment"
    assert system.run("-m", "venv", "--without-pip", environment).returncode == 0
    scripts = {"pip3": machine / "python3", "pip": environment / "bin" / "python", "pip3.9": environment / "bin" / "python3"}
    for name, python in scripts.items():
        (machine / name).write_text(f"#!{python}\n", encoding="ascii")
    found = {interpreter.path: interpreter for interpreter in inspected()}
    assert list(found) == [str(machine / "python3"), str(machine / "python2.7"), str(environment / "bin" / "python")]
    assert found[str(environment / "bin" / "python")].facts["virtual"] is True
    assert found[str(machine / "python3")].facts["virtual"] is False
