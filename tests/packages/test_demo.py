# SPDX-License-Identifier: Apache-2.0
"""`make demo`, the first of README's two commands, ends well and shows what it is there to show."""

import json
import os
import subprocess

import pytest
from toolkit import releases

HYBRID = "X25519MLKEM768"


@pytest.fixture(scope="module")
def demonstration(as_root):
    """What build/demo/demo.json says after `make demo`."""
    report = releases.TOP / "build" / "demo" / "demo.json"
    report.unlink(missing_ok=True)
    hidden = ("PYTHONPATH", "MAKEFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        ["make", "demo"],
        cwd=releases.TOP,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return json.loads(report.read_text(encoding="utf-8"))


def downloads(demonstration, **wanted):
    found = [
        (row["row"], download)
        for row in demonstration["rows"]
        for download in row["downloads"]
        if all(download[name] == value for name, value in wanted.items())
    ]
    assert found
    return found


def test_every_row_ran_and_nothing_was_amiss(demonstration):
    assert sorted(row["row"] for row in demonstration["rows"]) == ["bullseye-2.7", "bullseye-3.9", "rpm-root", "trixie-3.13"]
    assert demonstration["problems"] == []


@pytest.mark.parametrize("state", ["before", "off", "removed"])
def test_the_untouched_pips_of_old_systems_cannot_use_the_new_key_exchange(demonstration, state):
    for row, download in downloads(demonstration, state=state, index=HYBRID):
        assert download["succeeded"] == (row == "trixie-3.13")
        assert not download["matched"]


def test_once_installed_every_connection_is_proven(demonstration):
    for _, download in downloads(demonstration, state="installed"):
        assert download["succeeded"]
        assert download["matched"]
        assert (download["protocol"], download["group"]) == ("TLSv1.3", HYBRID)


def test_the_check_tells_the_state_and_removal_leaves_no_trace(demonstration):
    for row in demonstration["rows"]:
        assert (row["checks"]["installed"], row["checks"]["installed as root"], row["checks"]["off"]) == (0, 0, 2)
        assert row["differences"] == []
        assert row["compared_paths"] > 1000
