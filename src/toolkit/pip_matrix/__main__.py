# SPDX-License-Identifier: Apache-2.0
"""`make pip-matrix`: real pips, real indexes, and for every cell the proof that `_tls_bootstrap` made the connections.

    python -m toolkit.pip_matrix [--full] [--only TEXT]... [--without-hook]
    python -m toolkit.pip_matrix --starts

Needs `make build`, and for the distributions' own pips `make portable` and root. ``--full`` runs every operation with
every pip in both ways. ``--only`` takes pips whose name has the text. ``--without-hook`` is the negative control of the
whole: with the off switch set not one cell may come out proven. The result is in build/pip-matrix; the exit status is 0
when every cell is proven or explained. ``--starts`` only measures and prints what the hook costs each start of an
interpreter.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError
from toolkit import mounts
from toolkit.commands import CommandError
from toolkit.pip_matrix import cells, report, startup
from toolkit.pip_matrix.cells import Cell, Helps
from toolkit.pip_matrix.index import ANY, COLUMNS, TLS_1_2, Identity
from toolkit.pip_matrix.operations import DOWNLOAD, OPERATIONS
from toolkit.pip_matrix.pips import targets
from toolkit.pip_matrix.places import DISTRIBUTION, HOOK, PATCHED, RUNNER, Place, Places, Target, Unavailable

WORK = Path("build", "pip-matrix")


def plan(target: Target, full: bool, modes: Sequence[str] = (HOOK, RUNNER)) -> list[tuple[str, str, str]]:
    """(mode, operation, index) of each cell of one pip in these modes; what is not run in all is run in the first."""
    found = [(mode, DOWNLOAD, column) for mode in modes for column in COLUMNS]
    for mode in modes if full else modes[:1] if target.generation else ():
        found += [(mode, name, ANY) for name in OPERATIONS if name != DOWNLOAD]
    return sorted(found, key=lambda cell: cell[0])  # the hook is put in place and removed once


class _Matrix:
    def __init__(self, full: bool, off: bool, identity: Identity, places: Places) -> None:
        self._full, self._off = full, off
        self._identity = identity
        self._places = places
        self._helps = Helps()
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self.cells: list[Cell] = []
        self.controls: list[Cell] = []

    def seconds(self) -> float:
        return time.monotonic() - self._started

    def _tell(self, text: str) -> None:
        with self._lock:
            print(f"[{self.seconds():6.1f} s] {text}", flush=True)

    def examine(self, target: Target) -> list[Cell]:
        """Run all cells of one pip."""
        found: list[Cell] = []
        patched = plan(target, self._full, (PATCHED,)) if target.patch and not self._off else []
        try:
            place = self._places.make(target)
            try:
                found += self._run(place, plan(target, self._full))
                if not self._off:
                    self.controls.append(self._cell(place, HOOK, DOWNLOAD, TLS_1_2, off=True))
            finally:
                place.remove()
            if patched:
                place = self._places.make(target, patched=True)
                try:
                    found += self._run(place, patched)
                    self.controls.append(self._cell(place, PATCHED, DOWNLOAD, TLS_1_2, off=True))
                finally:
                    place.remove()
        except Unavailable as reason:
            for mode, operation, kind in plan(target, self._full) + patched:
                found.append(Cell(target.label, mode, operation, kind, cells.NOT_RUN, str(reason)))
        except (BuildError, CommandError, OSError) as error:
            found.append(Cell(target.label, "", "preparation", "", cells.NOT_PROVEN, str(error)))
        counts = report.counts(found)
        self._tell(f"{target.label}: " + ", ".join(f"{count} {status}" for status, count in counts.items() if count))
        for cell in found:
            if cell.status == cells.NOT_PROVEN and not self._off:
                self._tell(f"  {cell.status}: {cell.mode}, {cell.operation}, {cell.index}: {cell.why[:300]}")
        return found

    def _run(self, place: Place, planned: Sequence[tuple[str, str, str]]) -> list[Cell]:
        return [self._cell(place, *words, off=self._off) for words in planned]

    def _cell(self, place: Place, mode: str, operation: str, kind: str, off: bool) -> Cell:
        try:
            return cells.run(place, mode, operation, kind, self._identity, self._helps, off)
        except Exception:  # a defect of ours must be a cell that is not proven, and not the end of the others
            return Cell(place.target.label, mode, operation, kind, why=traceback.format_exc())


def main(arguments: Sequence[str]) -> int:
    """Run the matrix; see the top of this file."""
    parser = argparse.ArgumentParser(prog="toolkit.pip_matrix", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="every operation with every pip, hook and runner")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="pips whose name has this text")
    parser.add_argument("--without-hook", action="store_true", help="negative control: nothing may be proven")
    parser.add_argument("--starts", action="store_true", help="only what the hook costs each start of an interpreter")
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1, help="pips examined at the same time")
    options = parser.parse_args(arguments)
    chosen = [target for target in targets() if not options.only or any(text in target.label for text in options.only)]
    if not chosen:
        parser.error(f"--only {' '.join(options.only)}: no pip of the matrix is called that")
    tree = Path("build", "py3").resolve()
    if not (tree / "_tls_bootstrap").is_dir():
        print("pip-matrix: build/py3 is not there: run make build first", file=sys.stderr)
        return 2
    mounts.separate()
    WORK.mkdir(parents=True, exist_ok=True)
    # Two runs of one checkout would write over each other's report.
    with cache.locked(str(WORK / ".lock"), str(WORK)), Places(WORK.resolve()) as places:
        if options.starts:
            for cost in startup.measure(WORK.resolve()):
                print(cost, flush=True)
            return 0
        matrix = _Matrix(options.full, options.without_hook, Identity(tree), places)
        print(f"{len(chosen)} pips, {options.jobs} at a time", flush=True)
        # Roots and the pips with many operations first: they take longest.
        order = sorted(chosen, key=lambda target: (target.kind != DISTRIBUTION, not target.generation))
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            results = dict(zip(order, pool.map(matrix.examine, order)))
        found = [cell for target in chosen for cell in results[target]]
        costs = [] if options.only else list(startup.measure(WORK.resolve()))
        return report.write(found, matrix.controls, costs, matrix.seconds(), WORK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
