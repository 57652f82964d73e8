# SPDX-License-Identifier: Apache-2.0
"""The verdict of the lifetime gate: what is more than an interpreter itself leaves behind, and what is not."""

from __future__ import annotations

import pytest
from toolkit.audit.lifetime import SLACK, SLACK_IN_ALL, Growth, most

ITSELF = Growth(median=1000, mean=1100, total=9900, mapped=0)


@pytest.mark.parametrize(
    "grown, verdict",
    [
        (ITSELF, False),
        (Growth(1000 + SLACK, 1100 + SLACK, 9900 + SLACK_IN_ALL, 0), False),
        (Growth(1001 + SLACK, 1101 + SLACK, 9900, 0), True),  # each life leaves something
        (Growth(1001 + SLACK, 1100, 9900, 0), False),  # one table of the interpreter doubled, now there and now here
        (Growth(1000, 1100, 9901 + SLACK_IN_ALL, 0), True),  # some lives leave much
        (Growth(1000, 1100, 9900, 4096), True),
    ],
)
def test_what_is_too_much(grown: Growth, verdict: bool) -> None:
    assert grown.above(ITSELF) is verdict


def test_it_is_held_against_the_most_of_its_yardsticks() -> None:
    assert most([ITSELF, Growth(5, 2000, 7, 8)]) == Growth(1000, 2000, 9900, 8)
    assert most([]) == Growth(0, 0, 0, 0)
