# SPDX-License-Identifier: Apache-2.0
"""The command's words, streams and exit codes, whatever it is given."""

from __future__ import annotations

import json

import pytest

WITHOUT = 'exec "$@" '


def shell(redirection: str) -> list[str]:
    return ["sh", "-c", WITHOUT + redirection, "sh"]


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_the_answer_does_not_depend_on_a_stream_that_is_closed(make, check, closed):
    python = make("3.9").add_pip().add_module().python
    done = check("--python", python, prefix=shell(closed))
    assert (done.returncode, done.stderr) == (2, "")
    assert ("# " in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize("verb, words", [("check", []), ("check", ["--json"]), ("version", [])])
def test_an_answer_that_cannot_be_written_is_no_success(make, check, verb, words):
    chosen = ["--python", make("3.9").add_pip().add_module().python] if verb == "check" else []
    done = check(*words, *chosen, verb=verb, prefix=shell(">/dev/full"))
    assert done.returncode == 4
    assert done.stderr == "tls-bootstrap: standard output: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_error(check):
    done = check(verb="version", prefix=["bash", "-c", 'exec 3> >(exit); wait $!; "$@" >&3; echo $?', "bash"])
    assert (done.stdout, done.stderr) == ("4\n", "")


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["--python", "/no/such/python"], "--python /no/such/python: there is no such program"),
        (["--python", "/bin/cat"], "/bin/cat is no Python that can be examined"),
        (["--index", "https://two words/"], "--index https://two words/: this is no address"),
    ],
)
def test_exit_code_4_is_json_too(check, words, complaint):
    done = check("--json", *words)
    assert done.returncode == 4
    assert complaint in done.stderr.splitlines()[-1]
    report = json.loads(done.stdout)
    assert (report["exit"], report["targets"]) == (4, [])
    assert report["error"].startswith(complaint)


@pytest.mark.parametrize("first_line", [b"#!/bin/sh", b"#!/usr/bin/py\0thon", b"\xff\xfe"], ids=["sh", "NUL", "binary"])
def test_a_pip_that_is_no_script_of_python_is_named(check, workplace, first_line):
    script = workplace / "pip"
    script.write_bytes(first_line + b"\nexec curl\n")
    done = check("--pip", script)
    script.unlink()
    assert (done.returncode, done.stdout) == (4, "")
    assert str(script) in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("noise", ["hello", "{}", "[["])
def test_what_an_interpreter_prints_at_its_start_is_no_answer(make, check, noise):
    installation = make("3.9").add_pip().add_module().add_hook()
    (installation.site / "noise.pth").write_text(f"import sys; sys.stdout.write({noise!r})\n", encoding="ascii")
    done = check("--python", installation.python)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
