# SPDX-License-Identifier: Apache-2.0
"""CI's shares of the long proofs: chosen by the commit, all of them reached, and a failed one fails the run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openssl.errors import BuildError
from toolkit import proofs


def test_every_proof_is_a_verb():
    verbs = set(re.findall(r"^([a-z0-9.-]+):.*## ", Path("Makefile").read_text(encoding="utf-8"), re.M))
    named = [words.split()[0] for share in proofs.SHARES for words in share]
    assert named and len(named) == len(set(named))
    assert {*named, *proofs.ALWAYS} <= verbs
    assert {"lint", "matrix", "audit", "pip-matrix", "life-cycle", "refcounts"} <= {*named, *proofs.ALWAYS}


def test_a_commit_always_gets_the_same_share_and_every_share_comes():
    commits = [f"{number * 2654435761 % 2**32:08x}{'0' * 32}" for number in range(100)]
    first = [proofs.chosen(each, None) for each in commits]
    assert first == [proofs.chosen(each, "") for each in commits]
    assert {number for (number,) in first} == set(range(len(proofs.SHARES)))


def test_a_share_can_be_asked_for():
    assert proofs.chosen("0" * 40, "2") == [1]
    assert proofs.chosen("0" * 40, "all") == list(range(len(proofs.SHARES)))
    for wrong in ("0", str(len(proofs.SHARES) + 1), "audit"):
        with pytest.raises(BuildError, match=f"SHARE={wrong}: choose one of 1 to"):
            proofs.chosen("0" * 40, wrong)


def test_a_proof_that_fails_is_told_with_the_end_of_its_log(tmp_path, monkeypatch, capsys):
    (tmp_path / "Makefile").write_text("good:\n\t@echo well\nbad:\n\t@echo the reason; exit 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(proofs, "ALWAYS", ("good",))
    monkeypatch.setattr(proofs, "SHARES", (("bad",),))
    assert proofs.run(None) == ["bad"]
    assert proofs.main(["--share", "1"]) == 1
    told = capsys.readouterr().out
    assert "proof: make good: ok" in told
    assert "the reason" in told and "proof: make bad FAILED (2)" in told
    monkeypatch.setattr(proofs, "SHARES", (("good",),))
    assert proofs.main([]) == 0
