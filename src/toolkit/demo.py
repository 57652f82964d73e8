# SPDX-License-Identifier: Apache-2.0
"""The main job end to end: packages, signed repositories, real managers, real pips, removal.

``python -m toolkit.demo [ROW ...]`` needs build/portable (make portable) and root.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

from openssl import cache
from toolkit import mounts, published, releases, repository, roots, trial, wheels
from toolkit.commands import CommandError
from toolkit.packages import TOP

_WORK = TOP / "build" / "demo"


class _Progress:
    """One line per step, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def seconds(self) -> float:
        return time.monotonic() - self._start

    def tell(self, who: str) -> Callable[[str], None]:
        def line(text: str) -> None:
            with self._lock:
                print(f"[{self.seconds():6.1f} s] {who}: {text}", flush=True)

        return line


def _prepare(rows: Sequence[trial.Row], progress: _Progress) -> None:
    tell = progress.tell("prepare")
    tell("roots (each line: one step that is done)")
    recipes = [roots.RPM, *dict.fromkeys(row.recipe for row in rows if row.recipe is not roots.RPM)]
    wheels.path(wheels.SERVED)
    published.prepare_roots(recipes, _WORK, tell)
    tell("packages")
    built = published.build_packages(published.DEMO, _WORK, tell)
    published.publish(built, _WORK / "repo", _WORK, _WORK / "gnupg", tell)


def _manager(row: trial.Row) -> str:
    return "apt" if releases.by_name(row.releases[0]).family == "deb" else "dnf"


def _run_rows(rows: Sequence[trial.Row], progress: _Progress) -> list[trial.Result]:
    def one(row: trial.Row) -> trial.Result:
        try:
            return trial.run(row, _WORK, published.portable_tree() / "py3", _WORK / "repo", url, progress.tell(row.name))
        except (CommandError, OSError, RuntimeError) as error:
            progress.tell(row.name)(f"stopped: {error}")
            return trial.Result(row.name, _manager(row), row.note, problems=[f"{row.name}: {error}"])

    with repository.served(_WORK / "repo") as url:
        with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
            return list(pool.map(one, rows))


def _table(results: Sequence[trial.Result]) -> str:
    """One line per pip and index, one per row for check and tree, then the notes."""
    header = ("root", "manager", "pip", "index", *trial.STATES, "protocol", "cipher", "group", "evidence")
    lines: list[tuple[str, ...]] = [header]
    verdicts = {}
    for result in results:
        seen = [download for download in result.downloads if download.user == roots.USER]
        for pip, index in dict.fromkeys((download.pip, download.index) for download in seen):
            states = {download.state: download for download in seen if (download.pip, download.index) == (pip, index)}
            used = states.get("installed")
            results_of = ["-" if state not in states else "ok" if states[state].succeeded else "fails" for state in trial.STATES]
            evidence = "-" if used is None else "matched" if used.matched else "NO MATCH"
            lines.append((
                result.row, result.manager, pip, index, *results_of,
                used.protocol if used else "", used.cipher if used else "", used.group if used else "", evidence,
            ))
        checks = [_status(result.checks, state) for state in trial.STATES]
        same = "equal" if result.compared_paths and not result.differences else "DIFFERS"
        lines.append((result.row, result.manager, "tls-bootstrap check", "(exit status)", *checks))
        verdicts[len(lines) - 1] = f"root after removal: {same}, {result.compared_paths} paths"
    widths = [max(len(line[column]) for line in lines if len(line) > column) for column in range(len(header))]
    rows = []
    for number, line in enumerate(lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths)]
        rows.append("  ".join([*cells, verdicts.get(number, "")]).rstrip())
    notes = [f"* {result.row}: {result.note}" for result in results if result.note]
    return "\n".join(rows + notes)


def _status(checks: dict[str, int | None], state: str) -> str:
    if state not in checks:
        return "-"
    return "absent" if checks[state] is None else str(checks[state])


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 when everything is as required, 1 when not, 2 when it could not run."""
    names = [row.name for row in trial.ROWS]
    parser = argparse.ArgumentParser(prog="toolkit.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("row", nargs="*", help=f"run these rows only: {', '.join(names)}")
    chosen = parser.parse_args(arguments).row
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(names)}")
    rows = [row for row in trial.ROWS if not chosen or row.name in chosen]
    portable = published.portable_tree()
    if os.geteuid() != 0:
        print("demo: making roots needs root: run it as root (make deps as root first)", file=sys.stderr)
        return 2
    if not (portable / "py3").is_dir() or not (portable / "py2").is_dir():
        print(f"demo: {portable.relative_to(TOP)} is not there: run make portable first", file=sys.stderr)
        return 2
    mounts.separate()
    _WORK.mkdir(parents=True, exist_ok=True)
    # Two demos of one checkout would build in each other's directories.
    with cache.locked(str(_WORK / ".lock"), f"{_WORK.relative_to(TOP)}"):
        return _demonstrate(rows)


def _demonstrate(rows: Sequence[trial.Row]) -> int:
    print(f"logs: {_WORK.relative_to(TOP)}/*.log")
    progress = _Progress()
    try:
        _prepare(rows, progress)
    except (CommandError, OSError, ValueError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    results = _run_rows(rows, progress)
    print()
    print(_table(results))
    problems = [problem for result in results for problem in result.problems]
    report = {"seconds": round(progress.seconds(), 1), "rows": [result.as_json() for result in results], "problems": problems}
    (_WORK / "demo.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for problem in problems:
        print(f"NOT AS REQUIRED: {problem}")
    print(f"\n{len(rows)} roots in {progress.seconds():.0f} s; {len(problems)} problems; build/demo/demo.json")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
