# SPDX-License-Identifier: Apache-2.0
"""What counts as evidence, and what the exit code says: the command's own rules, without any pip."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "command"))

from tls_bootstrap_command import check, cli, evidence, interpreters, packages, processes, record  # noqa: E402  (needs the path set above)
from tls_bootstrap_command.children import elf  # noqa: E402  (needs the path set above)
from tls_bootstrap_command.errors import CommandError  # noqa: E402  (needs the path set above)

NONCE, OTHER_NONCE = "ab" * 32, "cd" * 32
WHEEL = "/files/wheel.whl"


def served(exporter, path=WHEEL, pid=7):
    return {"requests": [path] if path else [], "error": None, "exporter": exporter, "client_pid": pid}


def trace(*exporters, nonce=NONCE, pid=7):
    lines = [json.dumps({"exporter": value, "pid": pid, "module": "m", "core": "c"}) for value in exporters]
    return evidence.parse_trace(evidence.header(nonce) + "\n".join(lines).encode() + b"\n", NONCE)


def test_equal_exporter_values_of_all_connections_prove_use():
    assert evidence.Match([served("11", "/simple/"), served("22")], trace("11", "22"), WHEEL, 7).proves_use


@pytest.mark.parametrize(
    "connections, entries",
    [
        ([served("22")], trace("33")),  # another connection
        ([served("22")], trace()),  # no trace
        ([served("22")], trace("22", nonce=OTHER_NONCE)),  # a stale trace
        ([served("22")], trace("22", pid=8)),  # the trace of another process
        ([served("22", pid=8)], trace("22")),  # another process was connected
        ([served("22", pid=8)], trace("22", pid=8)),  # pip let another process do all of it
        ([served("22"), served("22")], trace("22")),  # replayed: one entry proves one connection
        ([served("22"), served("33", "/simple/")], trace("22")),  # something else asked as well
        ([served("22", "/simple/")], trace("22")),  # the wheel came from elsewhere
        ([served(None)], trace(None)),  # TLS 1.2 without Extended Master Secret
        ([], trace("22")),
    ],
)
def test_anything_less_proves_nothing(connections, entries):
    assert not evidence.Match(connections, entries, WHEEL, 7).proves_use


def test_a_damaged_trace_is_no_error():
    data = evidence.header(NONCE) + b'\xff\n[1]\n{"exporter": "22"\n"x"\n'
    assert evidence.parse_trace(data, NONCE) == []


@pytest.mark.parametrize(
    "verdicts, code",
    [
        ([(0, True)], 0),
        ([(0, True), (2, True)], 2),
        ([(2, True), (1, True), (0, True)], 1),
        ([(0, True), (1, False), (2, False)], 0),
        ([(3, False)], 3),
        ([], 3),
    ],
)
def test_the_exit_code_is_the_worst_of_what_counts(verdicts, code):
    assert check.exit_code([SimpleNamespace(verdict=verdict, counted=counted) for verdict, counted in verdicts]) == code


def run_of(succeeded=True, ours=True, served=True):
    """A finished pip: `ours` says whose connections it made."""
    match = SimpleNamespace(trace=["entry"] if ours else [], served=["facts"] if served else [], failed=[])
    failure = "" if succeeded else "pip ended with exit code 1"
    return SimpleNamespace(
        succeeded=succeeded, proves_use=succeeded and ours and served, match=match, hook_said=None, failure=lambda: failure
    )


PLAIN, REFUSED, BY_NOBODY = run_of(ours=False), run_of(succeeded=False, served=False), run_of(False, False, False)
FAILURES = {
    "pip accepts an authority": (run_of(), run_of(), PLAIN, run_of()),
    "the off switch": (run_of(), run_of(), run_of(), REFUSED),
    "pip uses it and fails on TLSv1.3": (run_of(succeeded=False), run_of(), PLAIN, REFUSED),
    "some connections of pip": (run_of(), SimpleNamespace(**dict(vars(run_of()), proves_use=False)), PLAIN, REFUSED),
    "pip itself does not work": (BY_NOBODY, BY_NOBODY, BY_NOBODY, REFUSED),
    "pip fails with the hook": (run_of(False, False), run_of(False, False), PLAIN, REFUSED),
    "the hook is active but": (PLAIN, PLAIN, PLAIN, REFUSED),
}


@pytest.mark.parametrize("reason", sorted(FAILURES))
def test_each_failure_has_an_explanation_and_a_next_step(reason):
    new, old, plain, stranger = FAILURES[reason]
    facts = {"module_directory": "/m", "hook_directory": "/h", "hook_files": ["f"], "armed": True}
    report = check.Report(SimpleNamespace(facts=facts))
    check._conclude(report, {"TLSv1.3": new, "TLSv1.2": old}, plain, stranger)
    assert report.verdict != check.USED
    assert report.reason.startswith(reason)
    assert report.advice


@pytest.mark.parametrize(
    "said, reason",
    [
        ("SSLError('[SSL: NO_KEY] no key; allow it')\nTraceback:\n  raise SSLError(e)\n", "[SSL: NO_KEY] no key; allow it')"),
        ("ERROR: No matching distribution\n  six.raise_from(error, e)\n", "ERROR: No matching distribution"),
        ("  File \"error.py\", line 3\nValueError: odd\n", "ValueError: odd"),
        ("first\nlast\n", "last"),
    ],
)
def test_the_reason_is_found_in_what_a_verbose_pip_says(said, reason):
    outcome = processes.Outcome(7, 1, "", said, False)
    assert outcome.failure() == "ended with exit code 1: " + reason


@pytest.mark.parametrize(
    "text, interpreter",
    [
        ("#!/usr/bin/python3 -Es\n", "/usr/bin/python3"),
        ("#! /usr/libexec/platform-python\n", "/usr/libexec/platform-python"),
        ("#!/bin/sh\n'''exec' /a/very/long/path/python3 \"$0\" \"$@\"\n", "/a/very/long/path/python3"),
        ("\x7fELF", None),
        ("", None),
    ],
)
def test_the_interpreter_behind_a_script(tmp_path, text, interpreter):
    (tmp_path / "pip").write_text(text, encoding="ascii")
    assert interpreters.script_interpreter(str(tmp_path / "pip")) == interpreter


def test_exported_symbols_are_those_of_the_dynamic_symbol_table():
    core = Path(__file__).resolve().parents[2] / "build" / "py3" / "_tls_bootstrap" / "_core.abi3.so"
    assert elf.exported_symbols(str(core)) == ["PyInit__core"]
    with pytest.raises(ValueError, match="is no ELF file"):
        elf.exported_symbols(__file__)


def test_a_diverted_file_belongs_to_its_package(monkeypatch):
    said = "diversion by other from: /bin/sh\ndiversion by other to: /bin/sh.distrib\nmine:amd64, more: /bin/sh\n"
    monkeypatch.setattr(packages, "_DPKG_QUERY", "/bin/sh")
    monkeypatch.setattr(packages, "_ask", lambda arguments: (0, said))
    assert packages.owner("/bin/sh") == "mine"


@pytest.mark.parametrize("changed, passed", [(None, None), (True, False), (False, True)])
def test_what_the_package_database_does_not_tell_is_not_passed(monkeypatch, changed, passed):
    monkeypatch.setattr(packages, "owner", lambda path: "mine")
    monkeypatch.setattr(packages, "is_changed", lambda path, package: changed)
    report = check.Report(SimpleNamespace(module={"core": "/x/_core.so"}))
    report.connections = [({"client_mapped": ["/x/_core.so"]}, {"core": "/x/_core.so"})]
    check._mapped_file(report)
    assert [point.passed for point in report.points] == [passed]


def make_report(modified=1000):
    pip = {"path": "/p/pip/__init__.py", "version": "20.3.4", "modified": modified, "directory": "/p"}
    interpreter = SimpleNamespace(path="/usr/bin/python3", pip=pip)
    return SimpleNamespace(interpreter=interpreter, verdict=0, reason=None)


def test_the_record_tells_whether_pip_has_changed_since(tmp_path, monkeypatch):
    monkeypatch.setattr(record.files, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(record, "RECORD", str(tmp_path / "state" / "check.json"))
    monkeypatch.setattr(record, "STALE_MARK", str(tmp_path / "state" / "stale"))
    assert record.read() is None
    record.write([make_report()], 0)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["check.json"]
    assert record.change(record.read(), make_report().interpreter) is None
    assert "changed since" in record.change(record.read(), make_report(modified=1001).interpreter)
    (tmp_path / "state" / "stale").touch()
    assert record.is_marked_stale()
    record.write([make_report(modified=1001)], 0)
    assert not record.is_marked_stale()
    assert record.change(record.read(), make_report(modified=1001).interpreter) is None


def test_a_record_that_cannot_be_written_is_one_clear_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(record.files, "STATE", str(tmp_path / "file" / "state"))
    for attempt in (record.prepare, lambda: record.write([make_report()], 0)):
        with pytest.raises(CommandError, match=rf"^--record: {tmp_path}/file/state: .*; run it as root$"):
            attempt()


def test_the_record_of_a_root_with_a_strict_umask_is_for_everybody_to_read(tmp_path, monkeypatch):
    monkeypatch.setattr(record.files, "STATE", str(tmp_path / "state"))
    umask = os.umask(0o077)
    try:
        record.prepare()
    finally:
        os.umask(umask)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o755


def test_the_record_of_a_later_version_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RECORD", str(tmp_path / "check.json"))
    later = {"tls-bootstrap-record": 2, "more": {}, "time": 1, "targets": [{"python": "/usr/bin/python3", "more": []}]}
    (tmp_path / "check.json").write_text(json.dumps(later), encoding="ascii")
    assert record.change(record.read(), make_report().interpreter) == "changed since the last check"


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", '{"other": 1}', '{"time": 1, "targets": null}', '{"time": 1, "targets": [1]}',
        '{"time": 1, "targets": {"a": 1}}', '{"time": "x", "targets": []}', '{"time": 1e400, "targets": []}', '{"targets": []}',
        "[" * 100000,
    ],
)  # fmt: skip
def test_a_damaged_record_counts_as_none(tmp_path, monkeypatch, content):
    monkeypatch.setattr(record, "RECORD", str(tmp_path / "check.json"))
    (tmp_path / "check.json").write_text(content, encoding="ascii")
    assert record.read() is None


def test_the_manual_page_has_every_verb_and_option_and_no_other():
    manual = Path(check.__file__).parents[1].joinpath("tls-bootstrap.1").read_text(encoding="utf-8").replace("\\-", "-")
    (verbs,) = (action.choices for action in cli.make_parser()._actions if hasattr(action, "choices") and action.choices)
    assert set(verbs) == set(re.findall(r"^\.B tls-bootstrap (\w+)$", manual, re.MULTILINE))
    options = {name for verb in verbs.values() for action in verb._actions for name in action.option_strings}
    assert options - {"-h", "--help"} == set(re.findall(r"--\w+", manual))
