# SPDX-License-Identifier: Apache-2.0
"""Runs a program under callgrind, which counts the instructions that it executes outside the kernel.

It counts one for each byte that a `rep movsb` or `rep stosb` moves, so the program is told to do without.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from openssl.errors import BuildError
from toolkit.bench import processor


def run(program: Sequence[str], environment: Mapping[str, str], profile: Path, *options: str, given: str = "") -> int:
    """Instructions of a program that reads `given`; callgrind writes the profile. Raises BuildError."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", *options, *program]
    try:
        variables = {**environment, **processor.SAME_COPIES}
        done = subprocess.run(command, env=variables, input=given, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BuildError("valgrind is not installed: make deps") from error
    counted = re.findall(r"Collected : (\d+)", done.stderr)
    if done.returncode or not counted:
        raise BuildError(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return int(counted[-1])
