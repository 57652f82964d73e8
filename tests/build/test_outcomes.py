# SPDX-License-Identifier: Apache-2.0
"""What is told of a run of pytest: of CI nobody sees more than this."""

import pytest

from toolkit import interpreters, tools
from toolkit.audit.model import Verdict
from toolkit.audit.run import include

FAILING = """
import pytest

@pytest.fixture
def broken():
    raise OSError("no root could be made")

def test_passes(): pass

def test_fails():
    raise RuntimeError("the checker says:\\nW: something\\n" + "more\\n" * 50)

def test_has_no_root(broken): pass

@pytest.mark.skip(reason="no such Python")
def test_waits(): pass
"""


def outcome_of(text, place):
    (place / "test_some.py").write_text(text, encoding="ascii")
    return interpreters.run_pytest(tools.command("pytest"), "outcomes", [str(place / "test_some.py")], {})


def test_a_failure_and_an_error_are_told_with_what_they_say(tmp_path, capsys):
    interpreters.tell(outcome_of(FAILING, tmp_path))
    first, *lines = capsys.readouterr().out.splitlines()
    assert "1 passed   2 failed   1 skipped" in first
    failed, why, *said = lines
    assert failed.endswith("test_some::test_fails")
    assert "the checker says:" in why
    assert said[0].strip() == "W: something"
    assert lines.count("    more") == interpreters._LINES - 2
    assert lines[-2].endswith("test_some::test_has_no_root")
    assert "no root could be made" in lines[-1]


def test_a_verdict_of_the_audit_tells_what_failed_and_why(tmp_path):
    verdict = Verdict("gate", "build")
    include(outcome_of(FAILING, tmp_path), verdict)
    assert not verdict.holds and len(verdict.findings) == 2
    assert "test_some::test_fails: RuntimeError: the checker says:" in verdict.findings[0]
    assert "test_some::test_has_no_root: " in verdict.findings[1] and "no root could be made" in verdict.findings[1]
    assert "skipped 1 times: no such Python" in verdict.seen


SKIPPED = "import pytest\n@pytest.mark.skip(reason='no such Python')\ndef test_waits(): pass\n"


@pytest.mark.parametrize("text", ["", SKIPPED], ids=["none there", "skipped"])
def test_a_verdict_of_the_audit_does_not_hold_where_no_test_ran(text, tmp_path):
    verdict = Verdict("gate", "build")
    include(outcome_of(text, tmp_path), verdict)
    assert not verdict.holds


def test_a_verdict_of_the_audit_does_not_hold_where_pytest_did_not_come_to_its_end():
    verdict = Verdict("gate", "build")
    include(interpreters.Outcome("outcomes", passed=3, failed=1, complaint="did not end within 300 s"), verdict)
    assert len(verdict.findings) == 1 and "did not end within 300 s" in verdict.findings[0]


FAILING_TWICE = """
import pytest

@pytest.fixture
def root():
    yield
    raise OSError("the root could not be removed")

def test_fails(root):
    raise RuntimeError("the checker refused")
"""


def test_what_fails_and_cannot_be_torn_down_either_is_told_with_both(tmp_path, capsys):
    interpreters.tell(outcome_of(FAILING_TWICE, tmp_path))
    first, name, *said = capsys.readouterr().out.splitlines()
    assert name.endswith("test_some::test_fails")
    assert ["refused" in line for line in said] == [True, False]
    assert ["removed" in line for line in said] == [False, True]


def test_a_run_without_a_failure_is_one_line(tmp_path, capsys):
    interpreters.tell(outcome_of("def test_passes(): pass\n", tmp_path))
    assert len(capsys.readouterr().out.splitlines()) == 1
