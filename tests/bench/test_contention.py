# SPDX-License-Identifier: Apache-2.0
"""Threads with connections of their own wait for no lock of ours or of OpenSSL's.

A clock on the wall shows that only on a machine with idle processors; that no lock was found taken is true on any.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from openssl.toolchain import Toolchain
from toolkit import interpreters
from toolkit.bench import setup

PRESENT = {item.name: item for item in interpreters.find()}
#: Two records: for less the GIL is kept, and threads never meet.
BYTES, TIMES = 32768, 3000


@pytest.fixture(scope="session")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("contention") / "contention.so"
    source = setup.SOURCES / "contention.c"
    subprocess.run([*Toolchain().cc, "-O2", "-shared", "-fPIC", source, "-o", library, "-ldl", "-pthread"], check=True)
    return library


@pytest.mark.parametrize("language", setup.LANGUAGES)
def test_two_connections_in_two_threads_share_no_lock(language: str, counter: Path) -> None:
    if language not in PRESENT:
        pytest.skip(f"there is no Python {language} here")
    interpreter = PRESENT[language]
    environment = {
        "PATH": os.defpath,
        "LD_PRELOAD": str(counter),
        "PYTHONPATH": str(interpreters.tree_for(interpreter, "bundled")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    worker = setup.SOURCES / "worker.py"
    done = subprocess.run(
        [interpreter.path, "-s", worker, "_tls_bootstrap", setup.certificates()],
        env=environment, input=f"share {BYTES} {TIMES}\n", stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["apart"] == 0, f"{found['apart']} times in {2 * TIMES} transfers"
    # The control: the same counter sees two threads that do share a connection.
    assert found["together"] > 0
