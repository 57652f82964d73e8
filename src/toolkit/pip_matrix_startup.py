# SPDX-License-Identifier: Apache-2.0
"""What the hook costs every start of an interpreter: CPU time with and without it, in turns, so that load hits both."""

from __future__ import annotations

import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from toolkit.pip_matrix_installations import Installation, programs

PYTHONS = ("2.7", "3.6", "3.9", "3.13")
TURNS = 40


@dataclass
class Cost:
    """Medians of CPU milliseconds for one interpreter."""

    python: str
    without: float
    #: Median of the differences of neighbouring runs.
    hook: float

    def __str__(self) -> str:
        return f"{self.python} {self.hook:.2f} ms (start: {self.without:.1f} ms)"


def _run(python: Path) -> float:
    """CPU milliseconds of one start."""
    process = os.posix_spawn(python, [str(python), "-c", "pass"], {"PATH": "/usr/bin:/bin"})
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{python} -c pass ended with status {status}")
    return 1000 * (usage.ru_utime + usage.ru_stime)


def measure() -> list[Cost]:
    """The cost on each of the interpreters that are there."""
    costs = []
    for version in PYTHONS:
        if version not in programs():
            continue
        with tempfile.TemporaryDirectory() as directory:
            bare = Installation(Path(directory, "bare"), version).add_module()
            hooked = Installation(Path(directory, "hooked"), version).add_module().add_hook()
            # Byte code is there on a system, where a package manager or root made it.
            hooked.run("-m", "compileall", "-q", str(hooked.site))
            pairs = [(_run(bare.python), _run(hooked.python)) for _ in range(TURNS + 1)][1:]
        without = statistics.median(pair[0] for pair in pairs)
        costs.append(Cost(version, without, statistics.median(pair[1] - pair[0] for pair in pairs)))
    return costs
