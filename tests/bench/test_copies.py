# SPDX-License-Identifier: Apache-2.0
"""Application data are copied no more often than they must be: bytes counted by a preloaded library, on any machine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from openssl.toolchain import Toolchain
from toolkit import interpreters
from toolkit.bench import goals, setup

PRESENT = {item.name: item for item in interpreters.find()}

#: From the sender's bytes to the receiver's: OpenSSL into its write buffer, our BIO into the object that read() hands
#: out, our BIO into OpenSSL's read buffer, OpenSSL into the object that the receiver gets.
NEEDED = 4
#: What ciphertext is longer than the data, for 1 KiB; and for long writes what moves once most of a large object has been
#: read, so that no more than twice what waits is kept (membio.c, MAX_SLACK): less than all of it.
BESIDES = {length: 0.1 if length <= 16384 else 1.0 for length in goals.LENGTHS}


@pytest.fixture(scope="session")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("copies") / "copies.so"
    subprocess.run([*Toolchain().cc, "-O2", "-shared", "-fPIC", setup.SOURCES / "copies.c", "-o", library], check=True)
    return library


@pytest.mark.parametrize("language", setup.LANGUAGES)
def test_each_byte_is_copied_once_into_and_once_out_of_each_memory_bio(language: str, counter: Path) -> None:
    if language not in PRESENT:
        pytest.skip(f"there is no Python {language} here")
    interpreter = PRESENT[language]
    environment = {
        "PATH": os.defpath,
        "LD_PRELOAD": str(counter),
        "PYTHONPATH": str(interpreters.tree_for(interpreter, "bundled")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    cases = [(version, suite, length) for version in goals.VERSIONS for suite in goals.SUITES for length in goals.LENGTHS]
    done = subprocess.run(
        [interpreter.path, "-s", setup.SOURCES / "worker.py", "_tls_bootstrap", setup.certificates()],
        env=environment, input="".join(f"copy {' '.join(map(str, case))}\n" for case in cases),
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found = dict(zip(cases, (json.loads(line)["value"] for line in done.stdout.splitlines())))
    assert len(found) == len(cases)
    assert {case: copies for case, copies in found.items() if not 0 <= copies - NEEDED < BESIDES[case[2]]} == {}
