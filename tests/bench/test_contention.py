# SPDX-License-Identifier: Apache-2.0
"""Threads with connections of their own wait for no lock of ours or of OpenSSL's.

A clock on the wall shows that only on a machine with idle processors; that no lock was found taken is true on any.
"""

from __future__ import annotations

from pathlib import Path

import preloaded
import pytest
from toolkit.bench import setup

#: Two records: for less the GIL is kept, and threads never meet.
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
