# SPDX-License-Identifier: Apache-2.0
"""What is installed carries the date that SOURCE_DATE_EPOCH names, so that a package built again is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

EPOCH = 1_000_000_000


def install(project, root: Path, **variables: str):
    return project.make("install-module", "FLAVOUR=system", f"DESTDIR={root}", "SITEDIR=/usr/lib/site", **variables)


def installed(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_installed_files_carry_the_date_of_the_source(project, tmp_path):
    project.build()
    assert install(project, tmp_path / "dated", SOURCE_DATE_EPOCH=str(EPOCH)).returncode == 0
    assert {path.stat().st_mtime for path in installed(tmp_path / "dated")} == {EPOCH}
    assert install(project, tmp_path / "now").returncode == 0
    assert min(path.stat().st_mtime for path in installed(tmp_path / "now")) > EPOCH


@pytest.mark.parametrize("text", ["today", "-1", "1.5"])
def test_a_date_that_is_no_number_is_refused_by_name(project, tmp_path, text):
    project.build()
    done = install(project, tmp_path / "root", SOURCE_DATE_EPOCH=text)
    assert done.returncode != 0
    assert f"error: SOURCE_DATE_EPOCH={text}: not a number of seconds since 1970" in done.stdout
    assert installed(tmp_path / "root") == []
