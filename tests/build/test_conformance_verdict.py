# SPDX-License-Identifier: Apache-2.0
"""The judgement of make conformance: what counts as a failure, and which exceptions may stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from openssl.errors import BuildError
from toolkit.conformance import verdict as verdicts

NAME = "test.test_ssl.Tests.test_something"
OTHER = "test.test_ssl.Tests.test_other"


def a_run(implementation: str = "_tls_bootstrap", **outcomes: str) -> dict:
    """A run in which test_something and test_other ended as told, with one handshake each."""
    names = {"something": NAME, "other": OTHER}
    results = {
        names[name]: {"outcome": outcome, "text": "why", "seconds": 0, "handshakes": 1} for name, outcome in outcomes.items()
    }
    about = {"implementation": implementation}
    return {"about": about, "end": {"standard_mapped": [], "replaced": []}, "notes": [], "results": results, "seconds": 1}


def baseline(**outcomes: str) -> list[dict]:
    return [a_run("ssl", **outcomes)] * 3


def judge(
    before: list[dict], ours: list[dict], exceptions: dict | None = None, races: frozenset[str] = frozenset()
) -> verdicts.Verdict:
    return verdicts.judge("3.13", "test_ssl", before, ours, exceptions or {}, races)


PASSED = baseline(something="passed", other="passed")
EXCEPTED = {NAME: ("opposite", "in 3.6 so, in 3.13 otherwise")}


def test_all_is_well_when_all_pass() -> None:
    verdict = judge(PASSED, [a_run(something="passed", other="passed")])
    assert verdict.good and (verdict.with_ssl, verdict.with_ours, verdict.handshakes) == (2, 2, 2)


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_test_that_does_not_pass_is_a_failure(outcome: str) -> None:
    verdict = judge(PASSED, [a_run(something=outcome, other="passed")])
    assert list(verdict.failures) == [NAME] and verdict.failures[NAME].startswith(outcome)


def test_a_test_that_did_not_run_is_a_failure() -> None:
    assert judge(PASSED, [a_run(other="passed")]).failures == {NAME: "did not run"}


def test_what_ssl_fails_too_is_none() -> None:
    verdict = judge(baseline(something="failed", other="passed"), [a_run(something="failed", other="passed")])
    assert verdict.good and verdict.with_ssl == 1


def test_what_only_ours_passes_is_counted() -> None:
    verdict = judge(baseline(something="failed", other="passed"), [a_run(something="passed", other="passed")])
    assert verdict.good and verdict.only_ours == 1


def test_only_what_is_flaky_with_ssl_may_be_repeated() -> None:
    flaky = [*baseline(something="passed", other="passed")[:2], a_run("ssl", something="failed", other="passed")]
    runs = [a_run(something="failed", other="passed"), a_run(something="passed", other="passed")]
    assert judge(flaky, runs).good
    assert verdicts.wanted_again(flaky, runs[:1]) == {NAME}
    assert list(judge(PASSED, runs).failures) == [NAME]
    assert verdicts.wanted_again(PASSED, runs[:1]) == set()


def test_a_known_race_may_be_repeated_and_has_to_pass() -> None:
    races = frozenset({NAME})
    failed, passed = a_run(something="failed", other="passed"), a_run(something="passed", other="passed")
    assert verdicts.wanted_again(PASSED, [failed], races) == {NAME}
    assert verdicts.wanted_again(PASSED, [passed], races) == set()
    verdict = judge(PASSED, [failed, passed], races=races)
    assert verdict.good and verdict.flaky == [NAME]
    assert list(judge(PASSED, [failed, failed, failed], races=races).failures) == [NAME]
    assert list(judge(PASSED, [passed, failed], races=races).failures) == []


def test_a_known_race_that_ssl_never_passes_is_not_asked_for() -> None:
    before = baseline(something="failed", other="passed")
    failed = a_run(something="failed", other="passed")
    assert verdicts.wanted_again(before, [failed], frozenset({NAME})) == set()
    assert judge(before, [failed], races=frozenset({NAME})).good


def test_an_exception_excuses_one_test() -> None:
    verdict = judge(PASSED, [a_run(something="failed", other="failed")], EXCEPTED)
    assert verdict.excepted == [NAME] and list(verdict.failures) == [OTHER]


def test_an_exception_that_is_not_needed_is_wrong() -> None:
    assert "no longer needed" in judge(PASSED, [a_run(something="passed", other="passed")], EXCEPTED).complaints[0]


@pytest.mark.parametrize(("exceptions", "races"), [(EXCEPTED, frozenset()), (None, frozenset({NAME}))])
def test_an_entry_for_a_test_that_does_not_exist_is_wrong(exceptions: dict | None, races: frozenset[str]) -> None:
    complaints = judge(baseline(other="passed"), [a_run(other="passed")], exceptions, races).complaints
    assert complaints == [f"the exception for {NAME} is not needed: there is no such test"]


def test_an_exception_for_what_ssl_did_not_pass_this_time_is_left_alone() -> None:
    before = baseline(something="failed", other="passed")
    assert judge(before, [a_run(something="failed", other="passed")], EXCEPTED).good


def test_no_handshake_is_wrong() -> None:
    ours = a_run(something="passed", other="passed")
    for result in ours["results"].values():
        result["handshakes"] = 0
    assert "no handshake" in judge(PASSED, [ours]).complaints[0]


@pytest.mark.parametrize(("mapped", "replaced"), [(["/lib/_ssl.so"], []), ([], ["ssl"])])
def test_the_standard_librarys_tls_in_the_process_is_wrong(mapped: list[str], replaced: list[str]) -> None:
    end = {"standard_mapped": mapped, "replaced": replaced}
    verdict = judge(PASSED, [{**a_run(something="passed", other="passed"), "end": end}])
    assert "was in use" in verdict.complaints[0] and verdict.handshakes_of_ssl is None


def test_a_run_without_an_end_or_of_the_wrong_module_is_wrong() -> None:
    assert "did not end" in judge(PASSED, [{**a_run(something="passed", other="passed"), "end": None}]).complaints[0]
    assert "made with ssl" in judge(PASSED, [a_run("ssl", something="passed", other="passed")]).complaints[0]
    swapped = [a_run(something="passed", other="passed")] * 3
    assert "with ssl was made with _tls_bootstrap" in judge(swapped, swapped[:1]).complaints[0]


def test_the_projects_own_exceptions_are_well_formed() -> None:
    path = Path("tests", "conformance", "exceptions.txt")
    exceptions = verdicts.read_exceptions(path)
    assert exceptions.of("3.13", "test.test_ssl")
    assert all(kind in verdicts.KINDS and text for tests in exceptions.entries.values() for kind, text in tests.values())


def test_a_race_is_no_exception_and_each_belongs_to_its_suite(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.txt"
    path.write_text(f"3.13 {NAME}\n    race: two outcomes\n3.13 {OTHER}\n    private: so\n", encoding="utf-8")
    exceptions = verdicts.read_exceptions(path)
    assert exceptions.of("3.13", "test.test_ssl") == {OTHER: ("private", "so")}
    assert exceptions.races("3.13", "test.test_ssl") == {NAME}
    assert not exceptions.of("3.13", "test.test_ss") and not exceptions.races("3.13", "test.test_ftplib")
    assert not exceptions.races("3.12", "test.test_ssl")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("    opposite: nothing above\n", "reason without a test"),
        ("3.13 not an id\n", "expected INTERPRETER"),
        (f"3.13 {NAME}\n", "must be KIND: TEXT"),
        (f"3.13 {NAME}\n    whim: because\n", "must be KIND: TEXT"),
        (f"3.13, 3.13 {NAME}\n    private: twice\n", "twice"),
        ("".join(f"3.13 {NAME}{number}\n    private: one of many\n" for number in range(13)), "at most 12"),
    ],
)
def test_a_wrong_exceptions_file_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "exceptions.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BuildError, match=complaint):
        verdicts.read_exceptions(path)
