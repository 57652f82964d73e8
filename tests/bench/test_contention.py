# SPDX-License-Identifier: Apache-2.0
"""Threads with connections of their own wait for no lock of ours or of OpenSSL's, and what is short takes none.

A clock on the wall shows that only on a machine with idle processors; that no lock was found taken is true on any.
"""

from __future__ import annotations

from pathlib import Path

import preloaded
import pytest
from toolkit.bench import setup

#: Two records: for them the GIL is given up each time.
BYTES, TIMES = 32768, 3000


@pytest.fixture(scope="session")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preloaded.build(tmp_path_factory.mktemp("contention"), "contention", "-ldl", "-pthread")


@pytest.mark.parametrize("language", setup.LANGUAGES)
def test_two_connections_in_two_threads_share_no_lock(language: str, counter: Path) -> None:
    (found,) = preloaded.answers(language, counter, [f"share {BYTES} {TIMES}"])
    assert found["apart"] == 0, f"{found['apart']} times in {2 * TIMES} transfers"
    # The control: the same counter sees two threads that do share a connection.
    assert found["together"] > 0


@pytest.fixture(scope="module", params=setup.LANGUAGES)
def taken(request: pytest.FixtureRequest, counter: Path) -> dict[str, int]:
    (found,) = preloaded.answers(request.param, counter, ["lock"])
    return found


@pytest.mark.parametrize("step", ["write", "take", "give", "read"])
@pytest.mark.parametrize("name", ["record", "afterwards", "shared little", "lonely record"])
def test_where_the_gil_keeps_others_out_no_mutex_is_taken(taken: dict[str, int], name: str, step: str) -> None:
    assert taken[f"{name} {step}"] == 0


@pytest.mark.parametrize("step", ["write", "read"])
@pytest.mark.parametrize("name", ["records", "shared record"])
def test_without_the_gil_mutexes_are_taken(taken: dict[str, int], name: str, step: str) -> None:
    """So it is with more than a record, and with a record where another thread had one lately."""
    assert taken[f"{name} {step}"] > 0


@pytest.mark.parametrize("name", ["record", "records", "afterwards"])
def test_a_connection_is_locked_for_others_while_a_callback_runs(taken: dict[str, int], name: str) -> None:
    assert taken[f"{name} half-way connection"] > 0


def test_memory_is_locked_while_an_operation_goes_on_without_the_gil(taken: dict[str, int]) -> None:
    assert taken["records half-way queue"] > 0
    assert taken["record half-way queue"] == 0


@pytest.mark.parametrize("what", ["connection", "queue"])
def test_afterwards_nothing_stays_locked_for_others(taken: dict[str, int], what: str) -> None:
    assert taken[f"idle {what}"] == 0
