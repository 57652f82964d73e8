# SPDX-License-Identifier: Apache-2.0
"""Application data are copied no more often than they must be: bytes counted by a preloaded library, on any machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import preloaded
import pytest
from toolkit.bench import goals, setup

#: From the sender's bytes to the receiver's: OpenSSL into its write buffer, our BIO into the object that read() hands
#: out, our BIO into OpenSSL's read buffer, OpenSSL into the object that the receiver gets.
NEEDED = 4
#: What ciphertext is longer than the data, for 1 KiB; and for long writes what moves once most of a large object has been
#: read, so that no more than twice what waits is kept (membio.c, MAX_SLACK): less than half of it, and only once.
BESIDES = {length: 0.1 if length <= 16384 else 0.5 for length in goals.LENGTHS}


@pytest.fixture(scope="session")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return preloaded.build(tmp_path_factory.mktemp("copies"), "copies")


def copies(language: str, counter: Path, cases: Sequence[tuple[str, str, int]], module: str = "_tls_bootstrap") -> list[float]:
    """Bytes copied for each byte of a write and its reads."""
    answers = preloaded.answers(language, counter, [f"copy {' '.join(map(str, case))}" for case in cases], module)
    assert len(answers) == len(cases)
    return [answer["value"] for answer in answers]


@pytest.mark.parametrize("language", setup.LANGUAGES)
def test_each_byte_is_copied_once_into_and_once_out_of_each_memory_bio(language: str, counter: Path) -> None:
    cases = [(version, suite, length) for version in goals.VERSIONS for suite in goals.SUITES for length in goals.LENGTHS]
    found = dict(zip(cases, copies(language, counter, cases)))
    assert {case: copies for case, copies in found.items() if not 0 <= copies - NEEDED < BESIDES[case[2]]} == {}


@pytest.mark.parametrize("language", setup.LANGUAGES)
def test_a_bare_module_copies_no_less(language: str, counter: Path) -> None:
    """What it is faster by is no promise about memory that it does not keep (bare.c, keep_little())."""
    cases = [("tls13", "aes128", length) for length in goals.LENGTHS]
    ours, bare = (copies(language, counter, cases, module) for module in ("_tls_bootstrap", "bare"))
    assert {case: (mine, its) for case, mine, its in zip(cases, ours, bare) if its < mine - 0.05} == {}
