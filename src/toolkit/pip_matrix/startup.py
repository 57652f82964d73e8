# SPDX-License-Identifier: Apache-2.0
"""What the hook costs every start of an interpreter: CPU time with and without it, in turns, so that load hits both."""

from __future__ import annotations

import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from toolkit.pip_matrix.installations import Installation, programs

PYTHONS = ("2.7", "3.6", "3.9", "3.13")
TURNS = 40
#: What a system's Python often has already; from some version on the first .pth file makes `site` import a codec.
NEIGHBOUR = "import os; enabled = os.environ.get('NO_SUCH_VARIABLE', 'local') == 'remote'\n"


@dataclass
class Cost:
    """Medians of CPU milliseconds for one interpreter."""

    python: str
    without: float
    #: Medians of the differences of neighbouring runs: a .pth file with nothing but a comment, and the hook.
    empty_pth: float
    hook: float
    #: The same for the hook where another package has a .pth file with an import line, against that alone.
    hook_beside: float

    def __str__(self) -> str:
        return (
            f"{self.python} {self.hook:.2f} ms, of which {self.empty_pth:.2f} are any .pth file's and "
            f"{self.hook - self.empty_pth:.2f} ours; "
            f"{self.hook_beside:.2f} ms beside another package's .pth file (the start: {self.without:.1f})"
        )


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
            empty = Installation(Path(directory, "empty"), version).add_module()
            (empty.site / "empty.pth").write_text("# nothing\n", encoding="ascii")
            hooked = Installation(Path(directory, "hooked"), version).add_module().add_hook()
            other = Installation(Path(directory, "other"), version).add_module()
            both = Installation(Path(directory, "both"), version).add_module().add_hook()
            for made in (other, both):
                (made.site / "another.pth").write_text(NEIGHBOUR, encoding="ascii")
            # Byte code is there on a system, where a package manager or root made it.
            for made in (hooked, both):
                made.run("-m", "compileall", "-q", str(made.site))
            turns = [[_run(made.python) for made in (bare, empty, hooked, other, both)] for _ in range(TURNS + 1)][1:]
        more = [statistics.median(turn[one] - turn[zero] for turn in turns) for one, zero in ((1, 0), (2, 0), (4, 3))]
        costs.append(Cost(version, statistics.median(turn[0] for turn in turns), *more))
    return costs
