# SPDX-License-Identifier: Apache-2.0
"""Importing and first using the module changes nothing for the process: `make audit`'s gate, on the trees of `make build`."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.audit import effects
from toolkit.audit.model import Build, missing


@pytest.mark.parametrize("major", [3, 2])
def test_an_import_and_a_first_use_have_no_side_effects(major):
    verdict = effects.examine(Build(f"py{major}", Path("build", f"py{major}").resolve(), major))
    assert verdict.seen, "no interpreter was asked"
    assert verdict.findings == []


def test_planted_side_effects_are_seen():
    assert missing(effects.GATE, effects.control()) == []
