# SPDX-License-Identifier: Apache-2.0
"""The results of a benchmark as a table, as JSON and as one self-contained HTML page with a chart."""

from __future__ import annotations

import html
import json
import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.bench.rounds import Series, Verdict

#: Above this share of measurements in which the reference differs from itself, nothing is to be trusted.
NOISY_SHARE = 0.2

_ROW, _LEFT, _WIDTH = 18, 430, 1000
_REACHED, _MISSED, _NOT_MEASURABLE = "#2a7d3f", "#b3261e", "#777777"


#: The instructions that OpenSSL has ciphers, hashes and key exchanges for, as the kernel calls them on x86-64 and aarch64.
_TELLING = ("aes", "pmull", "pclmulqdq", "vaes", "vpclmulqdq", "avx", "avx2", "avx512f", "bmi2", "adx", "sha_ni", "sha2", "sve")


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """What the figures depend on. Processors of one name may differ in their instructions."""
    told = dict(line.partition(":")[::2] for line in reversed(cpuinfo.read_text(encoding="utf-8").splitlines()))
    facts = {name.strip(): value.strip() for name, value in told.items()}
    has = (facts.get("flags") or facts.get("Features", "")).split()
    return {
        "processor": facts.get("model name", "unknown processor"),
        "instructions": " ".join(name for name in _TELLING if name in has) or "none of those that OpenSSL looks for",
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "system": _system_name(),
    }


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except (OSError, AttributeError):  # before 3.10 the function is not there
        return "unknown"


def trust(series: Sequence[Series]) -> tuple[bool, str]:
    """(whether the figures mean something, one line that says why)."""
    watched = [each for each in series if each.noise() != (0.0, 0.0)]
    noisy = [each.name for each in watched if each.is_noisy()]
    share = len(noisy) / len(watched) if watched else 0.0
    text = f"the reference against itself was too far from 1 in {len(noisy)} of {len(watched)} measurements"
    if share > NOISY_SHARE:
        return False, f"THIS MACHINE WAS TOO NOISY TO TRUST THESE FIGURES: {text}"
    return True, f"noise: {text}"


def rows(verdicts: Sequence[Verdict]) -> list[tuple[str, ...]]:
    """(measurement, who, goal, least, median, greatest, verdict) as text."""
    return [
        (
            each.goal.measurement, str(each.goal.ours), each.goal.text(), f"{each.least:.3f}", f"{each.median:.3f}",
            f"{each.greatest:.3f}", each.word() + (" [noisy]" if each.noisy else ""),
        )
        for each in verdicts
    ]  # fmt: skip


def table(verdicts: Sequence[Verdict]) -> str:
    """The verdicts for a terminal."""
    return columns([("measurement", "who", "goal", "min", "median", "max", "verdict"), *rows(verdicts)])


def columns(lines: Sequence[tuple[str, ...]]) -> str:
    """Lines of equally many cells, one below the other."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def markdown(found: dict[str, Any], verdicts: Sequence[Verdict], appendix: Mapping[str, str] | None = None) -> str:
    """The results for a page: a row for each measurement and opponent, a column for each Python.

    appendix: heading -> what a terminal is shown below it.
    """
    columns = sorted({_language(each) for each in verdicts}, key=lambda name: [int(part) for part in name.split(".")])
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for each in verdicts:
        other = each.goal.other
        opponent = "" if other is None else other.kind + (f" {other.python}" if other.kind == each.goal.ours.kind else "")
        sign = "≤" if each.goal.at_most else "≥"
        name = " ".join([each.goal.measurement, *each.goal.ours.python.split(" on ")[:-1]])
        row = cells.setdefault((name, opponent, f"{sign} {each.goal.limit:g}"), {})
        mark = "" if each.reached else " ✗" if each.measurable else " (not measurable)"
        if each.beyond_c:
            mark += f" (C {each.of_c:.3g})"
        elif each.beyond_bare:
            mark += f" (bare {each.of_bare:.3g})"
        row[_language(each)] = f"{each.median:.3g} ({each.least:.3g} to {each.greatest:.3g}){mark}"
    lines = [f"{name}: {value}" for name, value in found["machine"].items()]
    lines += [f"{name}: {value}" for name, value in found["versions"].items()]
    text = "\n".join(f"* {line}" for line in [*lines, found["noise"]])
    head = ["measurement", "over", "goal", *columns]
    rows = [head, ["---"] * len(head)]
    rows += [[*key, *(row.get(column, "") for column in columns)] for key, row in cells.items()]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    further = [f"## {heading}\n\n```text\n{lines}\n```" for heading, lines in (appendix or {}).items()]
    return "\n\n".join([f"# make bench\n\n{text}", table, *further]) + "\n"


def _language(verdict: Verdict) -> str:
    """The Python of a verdict: "2.7", also where the contender is "pip 9.0.3 on 2.7"."""
    return verdict.goal.ours.python.split()[-1]


def figures(series: Sequence[Series]) -> dict[str, Any]:
    """All samples, for JSON."""
    return {
        each.name: {
            "unit": each.unit,
            "samples": {str(who): values for who, values in each.samples.items()},
            "median": {str(who): statistics.median(values) for who, values in each.samples.items()},
            "refused": {str(who): reason for who, reason in each.refused.items()},
            "noisy": each.is_noisy(),
        }
        for each in series
    }


def document(series: Sequence[Series], verdicts: Sequence[Verdict], extra: dict[str, Any]) -> dict[str, Any]:
    """Everything that was found."""
    trusted, reason = trust(series)
    return {
        "machine": machine(),
        "trusted": trusted,
        "noise": reason,
        "goals": [
            {
                "measurement": each.goal.measurement, "who": str(each.goal.ours), "goal": each.goal.text(),
                "least": each.least, "median": each.median, "greatest": each.greatest, "reached": each.reached,
                "noisy": each.noisy, "measurable": each.measurable, "of C": each.of_c, "of bare": each.of_bare,
            }
            for each in verdicts
        ],
        "measurements": figures(series),
        **extra,
    }  # fmt: skip


def write(
    directory: Path, found: dict[str, Any], verdicts: Sequence[Verdict], appendix: Mapping[str, str] | None = None
) -> tuple[Path, Path]:
    """Write bench.json, bench.html and bench.md (the last with the appendix); returns the paths of the first two."""
    directory.mkdir(parents=True, exist_ok=True)
    data, page = directory / "bench.json", directory / "bench.html"
    data.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (directory / "bench.md").write_text(markdown(found, verdicts, appendix), encoding="utf-8")
    page.write_text(_page(found, verdicts), encoding="utf-8")
    return data, page


def _advantage(verdict: Verdict, ratio: float) -> float:
    """How far beyond the goal a ratio is, as a factor: above 1 is better than asked for."""
    ratio = max(ratio, 1e-6)
    return verdict.goal.limit / ratio if verdict.goal.at_most else ratio / verdict.goal.limit


def _chart(verdicts: Sequence[Verdict]) -> str:
    """One line a goal: from the least to the greatest ratio, a dot at the median, the goal in the middle; log scale."""

    def place(factor: float) -> float:
        return _LEFT + (_WIDTH - _LEFT) * (math.log2(min(max(factor, 0.25), 4.0)) + 2) / 4

    height = _ROW * (len(verdicts) + 2)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + 20} {height}" font-size="11">']
    for factor in (0.25, 0.5, 1.0, 2.0, 4.0):
        colour = "#333" if factor == 1 else "#ccc"
        parts.append(f'<line x1="{place(factor):.1f}" x2="{place(factor):.1f}" y1="{_ROW}" y2="{height}" stroke="{colour}"/>')
        parts.append(f'<text x="{place(factor):.1f}" y="12" text-anchor="middle">{factor:g} times the goal</text>')
    for number, each in enumerate(verdicts):
        y = _ROW * (number + 1.5)
        label = html.escape(f"{each.goal.measurement}: {each.goal.ours} {each.goal.text()}")
        low, middle, high = (place(_advantage(each, value)) for value in (each.least, each.median, each.greatest))
        colour = _REACHED if each.reached else _MISSED if each.measurable else _NOT_MEASURABLE
        parts.append(f'<text x="0" y="{y + 4:.1f}">{label}</text>')
        parts.append(
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="3" opacity="0.4"/>'
            f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{each.median:.3f}</title></circle>'
        )
    return "\n".join([*parts, "</svg>"])


def _page(found: dict[str, Any], verdicts: Sequence[Verdict]) -> str:
    heading = " · ".join(str(value) for value in (*found["machine"].values(), *found["versions"].values()))
    head = ("measurement", "who", "goal", "min", "median", "max", "verdict")
    body = "\n".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows(verdicts))
    return f"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>make bench</title>
<style>body{{font-family:sans-serif;max-width:1100px;margin:auto}}td,th{{padding:0 .6em;text-align:left;font-size:12px}}</style>
<h1>make bench</h1>
<p>{html.escape(heading)}</p>
<p>{html.escape(found["noise"])}</p>
<p>Each line is a goal; right of the middle is better than asked for. The bar reaches from the least to the greatest
ratio of the rounds, the dot is the median.</p>
{_chart(verdicts)}
<table><tr>{"".join(f"<th>{name}</th>" for name in head)}</tr>
{body}
</table>
</html>
"""


def growth_lines(language: str, found: dict[str, Any]) -> str:
    """What was found about growth on one Python, for a terminal."""
    lines = [
        f"in flight, {language}: {each['megabytes']:5} MiB  {each['write']:.3f} + {each['read']:.3f} ms/MiB written + read, "
        f"memory {each['filled'] / each['pending']:.2f} of what is pending, {each['left'] / 1024:.0f} KiB left behind"
        for each in found["in flight"]
    ]
    lines += [
        f"connections, {language}: {each['connections']:5}  {each['value']:.3f} ms and {each['kib']:.1f} KiB each"
        for each in found["connections"]
    ]
    return "\n".join(lines)
