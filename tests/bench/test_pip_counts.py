# SPDX-License-Identifier: Apache-2.0
"""`pip download` with the hook stays as cheap as it is promised to be: its instructions over those without the hook."""

from __future__ import annotations

from pathlib import Path

import pytest
from toolkit import interpreters
from toolkit.bench import pip, rounds
from toolkit.pip_matrix.installations import Installation

#: Seconds; callgrind is fifty times slower than the processor.
pytestmark = pytest.mark.timeout(600)

#: The pip that does least itself, so the hook's share is the greatest.
OLDEST = next(iter(pip.PIPS))


@pytest.fixture(autouse=True)
def _python() -> None:
    if OLDEST[1] not in {item.name for item in interpreters.find()}:
        # Each goal names its Python; a machine need not have all of them.
        pytest.skip(f"there is no Python {OLDEST[1]} here")


def verdicts() -> dict[str, rounds.Verdict]:
    """Of what pip does when it trusts the authorities that came with it, and when it trusts one alone."""
    found = rounds.judge(pip.instruction_goals(), pip.count([OLDEST]))
    return {each.goal.measurement.replace("instructions ", ""): each for each in found}


def test_a_download_costs_no_more_with_the_hook() -> None:
    found = verdicts()
    assert set(found) == {pip.USUAL, pip.ALONE}
    assert {each.goal.limit for each in found.values()} == {1.02}
    missed = {name: each.median for name, each in found.items() if not each.reached}
    assert not missed, "of the instructions without the hook"


def test_a_hook_that_dawdles_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    add_hook = Installation.add_hook

    def slowed(self: Installation) -> Installation:
        add_hook(self)
        finder = Path(self.site, "_tls_bootstrap_pip_finder.py")
        finder.unlink()  # it may be a link to the source
        text = Path("src", "pip_hook", "_tls_bootstrap_pip_finder.py").read_text(encoding="utf-8")
        finder.write_text(f"{text}\nfor _ in range(10000000):\n    pass\n", encoding="utf-8")
        return self

    monkeypatch.setattr(Installation, "add_hook", slowed)
    assert not any(each.reached for each in verdicts().values())
