# SPDX-License-Identifier: Apache-2.0
"""The report of the pip matrix: JSON, a self-contained HTML table, and lines for a person."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from toolkit.pip_matrix.cells import EXPLAINED, NOT_APPLICABLE, NOT_PROVEN, NOT_RUN, PROVEN, Cell
from toolkit.pip_matrix.startup import Cost

STATUSES = (PROVEN, EXPLAINED, NOT_APPLICABLE, NOT_RUN, NOT_PROVEN)
_COLOURS = {PROVEN: "#d5f0d5", EXPLAINED: "#fff3c4", NOT_APPLICABLE: "#eee", NOT_RUN: "#eee", NOT_PROVEN: "#f7c6c6"}


def counts(cells: Sequence[Cell]) -> dict[str, int]:
    """How many cells have each status."""
    return {status: sum(cell.status == status for cell in cells) for status in STATUSES}


def write(
    cells: Sequence[Cell], controls: Sequence[Cell], costs: Sequence[Cost], seconds: float, directory: Path
) -> int:
    """Write the files, print the summary; 0 if every cell is proven or explained and every control failed."""
    number = counts(cells)
    # n/a cells ask for what that pip does not have; they are no part of the count.
    total = len(cells) - number[NOT_APPLICABLE]
    idle = [cell for cell in controls if cell.status == PROVEN or not _worked(cell)]
    last = f"{number[PROVEN]} of {total} cells proven"
    data = {
        "seconds": round(seconds, 1), "result": last, "counts": number,
        "startup": [asdict(cost) for cost in costs],
        "cells": [asdict(cell) for cell in cells], "controls": [asdict(cell) for cell in controls],
    }
    (directory / "pip-matrix.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    (directory / "pip-matrix.html").write_text(_page(cells, controls, last), encoding="utf-8")
    for status in (NOT_APPLICABLE, EXPLAINED, NOT_RUN, NOT_PROVEN):
        for why, those in _grouped([cell for cell in cells if cell.status == status]).items():
            print(f"{status}: {those}: {why.splitlines()[-1][:200]}")
    for cell in idle:
        print(f"CONTROL: {cell.pip}, {cell.mode}: switched off this was {cell.status}: {cell.why or cell.output}")
    print(f"switched off {len(controls) - len(idle)} of {len(controls)} pips, hooked or patched, work and are not proven")
    if costs:
        print("the hook costs a start of the interpreter (CPU, median):")
    for cost in costs:
        print(f"  {cost}")
    print(f"{seconds:.0f} s; {directory}/pip-matrix.html and .json")
    print(last, flush=True)
    return 1 if number[NOT_PROVEN] or idle or not number[PROVEN] else 0


def _worked(control: Cell) -> bool:
    """Whether a control's pip did what it was asked to, by connections that no trace claims."""
    return "exited with" not in control.why and control.why.startswith("0 of ")


def _grouped(cells: Sequence[Cell]) -> dict[str, str]:
    """Reason -> the cells that have it."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        found.setdefault(cell.why, []).append(f"{cell.pip} ({cell.operation}, {cell.mode})")
    return {why: ", ".join(dict.fromkeys(those)) for why, those in found.items()}


def _page(cells: Sequence[Cell], controls: Sequence[Cell], last: str) -> str:
    columns = list(dict.fromkeys((cell.mode, cell.operation, cell.index) for cell in cells))
    rows = list(dict.fromkeys(cell.pip for cell in cells))
    place = {(cell.pip, cell.mode, cell.operation, cell.index): cell for cell in cells}
    off = {row: ", ".join(f"{cell.mode}: {cell.status}" for cell in controls if cell.pip == row) for row in rows}
    head = "".join(f"<th>{html.escape(' · '.join(column))}</th>" for column in columns)
    body = ""
    for row in rows:
        line = "".join(_data(place.get((row, *column))) for column in columns)
        line += f"<td>{html.escape(off[row])}</td>"
        body += f"<tr><th>{html.escape(row)}</th>{line}</tr>\n"
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>pip matrix</title>'
        "<style>body{font:13px sans-serif}table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:2px 5px;"
        "text-align:left;vertical-align:top}thead th{writing-mode:vertical-rl}</style>"
        f"<h1>pip matrix: {html.escape(last)}</h1><p>A cell is proven when pip did what it was asked to and every "
        "connection that the servers of the cell saw has the TLS exporter value of a connection that _tls_bootstrap "
        "traced in pip's processes, and the other way round. Point at a cell for the connections.</p>"
        f"<table><thead><tr><th>pip</th>{head}<th>switched off</th></tr></thead><tbody>\n{body}</tbody></table></html>\n"
    )


def _data(cell: Cell | None) -> str:
    if cell is None:
        return "<td></td>"
    lines = [cell.why] if cell.why else []
    for seen in cell.connections:
        facts = " ".join(str(seen[name]) for name in ("server", "protocol", "group", "cipher", "exporter"))
        lines.append(f"{facts}: {', '.join(seen['requests']) or seen['error']}")
    text = html.escape("\n".join(lines), quote=True)
    return f'<td style="background:{_COLOURS[cell.status]}" title="{text}">{html.escape(cell.status)}</td>'
