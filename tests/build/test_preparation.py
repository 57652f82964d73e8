# SPDX-License-Identifier: Apache-2.0
"""What `make test` builds before it runs tests, each of which has a limit of time that a build without a cache exceeds."""

import os

import pytest

from toolkit import builds, portable, test


@pytest.fixture
def asked(monkeypatch):
    """The builds that are asked for, instead of making them."""
    found = []
    monkeypatch.setattr(builds, "bring_up_to_date", lambda *words: found.append(words))
    return found


def test_all_flavours_and_all_architectures_are_built(asked):
    test.build_all()
    assert {words[0] for words in asked} == set(builds.COMMANDS)
    others = {words[2] for words in asked if words[:2] == ("portable", "--arch")}
    assert others | {os.uname().machine} == set(portable.ARCHITECTURES) and os.uname().machine not in others
