# SPDX-License-Identifier: Apache-2.0
"""Nobody else in the process notices the module: two of `make audit`'s gates, on the trees of `make build`."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.audit import effects, interposition
from toolkit.audit.model import Build, missing

GATES = [pytest.param(module.GATE, id=module.GATE.name) for module in (effects, interposition)]


@pytest.mark.parametrize("major", [3, 2])
@pytest.mark.parametrize("gate", GATES)
def test_a_build_passes_the_gate(gate, major):
    verdict = gate.examine(Build(f"py{major}", Path("build", f"py{major}").resolve(), major))
    assert verdict.seen, "nothing was looked at"
    assert verdict.findings == []


@pytest.mark.parametrize("gate", GATES)
def test_the_gate_refuses_its_control(gate):
    assert missing(gate, gate.control()) == []
