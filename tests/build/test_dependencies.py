# SPDX-License-Identifier: Apache-2.0
"""`make deps` tells what it will install, installs only as root, and is silent work when all is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openssl.errors import BuildError
from toolkit import deps

TOP = Path(__file__).resolve().parents[2]
ABSENT = "tls-bootstrap-no-such-package"


@pytest.fixture
def one_missing(monkeypatch):
    monkeypatch.setitem(deps.PACKAGES, ABSENT, "this test")


def test_nothing_is_run_when_nothing_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(deps, "PACKAGES", {"dpkg": "this test"})
    monkeypatch.setattr(deps, "install", lambda names: pytest.fail("it installed something"))
    assert deps.main([]) == 0
    assert capsys.readouterr().out == "deps: all 1 packages and the tools are there\n"


@pytest.mark.parametrize("option, group", [("--audit", "AUDIT"), ("--life-cycle", "LIFE_CYCLE")])
def test_a_group_is_asked_for_only_where_it_is_needed(monkeypatch, capsys, option, group):
    monkeypatch.setattr(deps, "PACKAGES", {"dpkg": "this test"})
    monkeypatch.setattr(deps, group, {ABSENT: "this test"})
    assert deps.main(["--print"]) == 0
    assert deps.main(["--print", option]) == 1
    assert f"missing: {ABSENT}" in capsys.readouterr().out


def test_an_ordinary_user_is_told_the_command(one_missing, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(deps, "install", lambda names: pytest.fail("it tried to install"))
    with pytest.raises(BuildError) as caught:
        deps.main([])
    command = str(caught.value).splitlines()[-1].strip()
    assert command.startswith("sudo apt-get install -q --yes --no-install-recommends ")
    assert command.split()[-1] == ABSENT
    assert f"missing: {ABSENT}" in capsys.readouterr().out


def test_what_apt_cannot_install_is_told(one_missing, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(deps, "install", lambda names: None)
    with pytest.raises(BuildError, match=f"not installed: .*{ABSENT}"):
        deps.main([])


@pytest.mark.skipif(os.geteuid() != 0, reason="changing to an ordinary user needs root")
def test_make_deps_as_an_ordinary_user_stops_before_anything_else(tmp_path):
    for name in ("Makefile", "VERSION"):
        shutil.copy(TOP / name, tmp_path)
    shutil.copytree(TOP / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    listed = tmp_path / "src" / "toolkit" / "deps.py"
    listed.write_text(listed.read_text().replace("PACKAGES = {", f'PACKAGES = {{\n    "{ABSENT}": "this test",', 1))
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents:
        if parent.owner() == "root" and parent.name.startswith("pytest-"):
            os.chmod(parent, 0o755)
    python = next(path for path in ("/usr/bin/python3", sys.executable) if os.path.exists(path))
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "make", "demo", f"PYTHON={python}"],
        cwd=tmp_path,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"missing: {ABSENT}" in done.stdout
    assert f"sudo apt-get install -q --yes --no-install-recommends {ABSENT}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "build").exists()
