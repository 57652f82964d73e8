# SPDX-License-Identifier: Apache-2.0
"""What of `make audit` is short enough for everybody: that nobody else in the process notices the trees of `make build`.

The whole of it takes long, and CI runs it for every third commit or so.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit import interpreters
from toolkit.audit import effects, interposition
from toolkit.audit.model import Build, builds, missing
from toolkit.audit.run import flavour_of, interpreters_for

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


def test_the_gates_that_run_tests_find_each_builds_tree():
    native = [build for build in builds() if build.native]
    assert {flavour_of(build) for build in native} == set(interpreters.FLAVOURS)
    for build in native:
        assert interpreters.tree_for(interpreters_for(build)[0], flavour_of(build)) == build.tree
