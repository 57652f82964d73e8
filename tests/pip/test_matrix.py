# SPDX-License-Identifier: Apache-2.0
"""`make pip-matrix` itself: which pips and cells it has, what it takes for evidence, and what its report says."""

from __future__ import annotations

import html.parser
import json
from types import SimpleNamespace

import pytest
from toolkit import releases
from toolkit.pip_matrix import cells, report
from toolkit.pip_matrix.__main__ import plan
from toolkit.pip_matrix.cells import EXPLAINED, NOT_APPLICABLE, NOT_PROVEN, PROVEN, Cell
from toolkit.pip_matrix.index import COLUMNS, Connection
from toolkit.pip_matrix.operations import OPERATIONS
from toolkit.pip_matrix.pips import NEWEST, targets
from toolkit.pip_matrix.places import HOOK, PATCHED, RUNNER

# What the charter of the matrix lists: Python -> PyPI's pips, and what distributions made of theirs.
CHARTER = {
    "2.7": "1.5.4 8.1.1 8.1.2 9.0.1 9.0.3 18.1 20.0.2 20.3.4",
    "3.6": "9.0.1 9.0.3 18.1 20.0.2 20.3.4 21.2.3 21.3.1",
    "3.7": "20.3.4 24.0",
    "3.8": "20.0.2 24.0",
    "3.9": "20.3.4 21.2.3 25.1.1",
    "3.10": f"22.0.2 24.0 {NEWEST}",
    "3.11": "23.0.1 25.1.1",
    "3.12": f"23.3.2 24.0 24.2 {NEWEST}",
    "3.13": f"24.2 25.1.1 {NEWEST}",
}
OTHERS = {
    ("2.7", "1.5.4", "de-vendored"), ("3.6", "1.5.4", "de-vendored"), ("3.9", "bullseye", "Debian's"),
    ("3.11", "bookworm", "Debian's"), ("3.13", "trixie", "Debian's"), ("3.14", "sid", "Debian's"), ("3.15", "sid", "Debian's"),
}  # fmt: skip


def test_every_pip_of_the_charter_is_in_the_matrix():
    wanted = {(python, pip, "PyPI's") for python, pips in CHARTER.items() for pip in pips.split()} | OTHERS
    assert wanted <= {(target.python, target.pip, target.kind) for target in targets()}
    assert len({target.label for target in targets()}) == len(targets())


@pytest.mark.parametrize("release", releases.matrix(), ids=lambda one: one.name)
def test_every_pip_of_a_release_is_in_the_matrix_and_has_its_patch(release):
    """By its version: where a release's own Python is not at hand, that pip runs on another one of the same major version."""
    for stack in release.stacks:
        if not stack.pip:
            continue
        version = stack.pip.split()[0]
        assert [target for target in targets() if (target.python[0], target.pip) == (stack.version[0], version)], stack
        patches = sorted(path.stem for path in releases.TOP.glob("*/pip-patches/*.patch"))
        assert f"pip-{version}" in patches, stack


def test_a_patched_pip_has_the_cells_that_it_has_by_the_hook():
    for target in targets():
        by_hook = {cell[1:] for cell in plan(target, False) if cell[0] == HOOK}
        assert {cell[1:] for cell in plan(target, False, (PATCHED,))} == by_hook
        assert len(by_hook) == (len(COLUMNS) + len(OPERATIONS) - 1 if target.generation else len(COLUMNS))
        assert sum(cell[0] == RUNNER for cell in plan(target, False)) == len(COLUMNS)


def seen(exporter="11", handshake=True, protocol="TLSv1.3"):
    return Connection("index", handshake, exporter, protocol, "TLS_AES_256_GCM_SHA384", "X25519")


def told(exporter="11", core="/c"):
    return {"exporter": exporter, "protocol": "TLSv1.3", "core": core}


def test_connections_that_both_ends_know_are_evidence():
    assert cells.match([seen("11"), seen("22")], [told("22"), told("11")], "/c") == ""


@pytest.mark.parametrize(
    "connections, trace, why",
    [
        ([], [], "no server was reached"),
        ([seen("11"), seen("22")], [told("11")], "1 of 2 connections"),  # something else asked as well
        ([seen("11")], [told("11"), told("22")], "1 of 1 connections"),  # a claim of more
        ([seen("11"), seen("11")], [told("11")], "1 of 2 connections"),  # one entry proves one connection
        ([seen("11")], [told("22")], "0 of 1 connections"),
        ([seen("11")], [told("11", core="/elsewhere")], "0 of 1 connections"),
        ([seen("11")], [told("11"), told("22", core="/elsewhere")], "1 connections of another module"),
        ([seen("11", protocol="TLSv1.2")], [told("11")], "0 of 1 connections"),
        ([seen("11"), seen("", handshake=False)], [told("11")], "1 connections without a finished handshake"),
    ],
)
def test_anything_else_is_none(connections, trace, why):
    assert cells.match(connections, trace, "/c").startswith(why)


def cell(status, pip="3.9 pip 20.3.4", why="", mode=HOOK):
    return Cell(pip, mode, "download", "TLS 1.3", status, why, connections=[vars(seen())])


CONTROL = cell(NOT_PROVEN, why="0 of 1 connections are in pip's trace, which has 0")


@pytest.mark.parametrize(
    "found, control, last, status",
    [
        ([cell(PROVEN)], CONTROL, "1 of 1 cells proven", 0),
        ([cell(PROVEN), cell(EXPLAINED, why="limit"), cell(NOT_APPLICABLE, why="no --x")], CONTROL, "1 of 2 cells proven", 0),
        ([cell(PROVEN), cell(NOT_PROVEN, why="<none>")], CONTROL, "1 of 2 cells proven", 1),
        ([cell(EXPLAINED, why="its own limit")], CONTROL, "0 of 1 cells proven", 1),  # nothing at all is no success
        ([cell(PROVEN)], cell(PROVEN), "1 of 1 cells proven", 1),  # proven although it was switched off
        ([cell(PROVEN)], cell(NOT_PROVEN, why="pip exited with 1"), "1 of 1 cells proven", 1),  # a control that did nothing
    ],
)
def test_the_report_ends_with_the_count_and_fails_for_what_is_not_proven(capsys, tmp_path, found, control, last, status):
    assert report.write(found, [control], [], 1.0, tmp_path) == status
    assert capsys.readouterr().out.splitlines()[-1] == last
    data = json.loads((tmp_path / "pip-matrix.json").read_text(encoding="utf-8"))
    assert data["result"] == last and len(data["cells"]) == len(found) and len(data["controls"]) == 1
    cells_of_page = []
    page = html.parser.HTMLParser()
    page.handle_starttag = lambda tag, attributes: cells_of_page.append(dict(attributes)) if tag == "td" else None
    page.feed((tmp_path / "pip-matrix.html").read_text(encoding="utf-8"))
    assert any("X25519" in (each.get("title") or "") for each in cells_of_page)


def test_a_pip_that_fails_only_with_us_is_not_explained_away():
    first, second = (SimpleNamespace(trouble=text, evidence="", done=None) for text in ("pip exited with 1", ""))
    judged = cell(NOT_PROVEN, why="pip exited with 1")
    cells._compare(judged, first, second)
    assert judged.status == NOT_PROVEN
    second.trouble = "pip exited with 1 too"
    cells._compare(judged, first, second)
    assert judged.status == EXPLAINED
