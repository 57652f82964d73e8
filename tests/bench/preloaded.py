# SPDX-License-Identifier: Apache-2.0
"""The benchmark's worker under a library that counts something in its process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from openssl.toolchain import Toolchain
from toolkit import interpreters
from toolkit.bench import setup

PRESENT = {item.name: item for item in interpreters.find()}


def build(directory: Path, name: str, *libraries: str) -> Path:
    """Compile tests/bench/NAME.c as a library to preload."""
    library = directory / f"{name}.so"
    source = setup.SOURCES / f"{name}.c"
    subprocess.run([*Toolchain().cc, "-O2", "-shared", "-fPIC", source, "-o", library, *libraries], check=True)
    return library


def answers(language: str, library: Path, commands: Iterable[str], module: str = "_tls_bootstrap") -> list[dict[str, Any]]:
    """What the worker of that Python answers to each command, given our module or `bare`."""
    if language not in PRESENT:
        # The benchmark names its Pythons; a machine need not have all of them.
        pytest.skip(f"there is no Python {language} here")
    interpreter = PRESENT[language]
    tree = setup.bare(interpreter) if module == "bare" else interpreters.tree_for(interpreter, "bundled")
    if tree is None:
        pytest.skip(f"the C headers of Python {language} are not installed")
    environment = {
        "PATH": os.defpath,
        "LD_PRELOAD": str(library),
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [interpreter.path, "-s", setup.SOURCES / "worker.py", module, setup.certificates()],
        env=environment, input="".join(f"{command}\n" for command in commands), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]
