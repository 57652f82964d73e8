# SPDX-License-Identifier: Apache-2.0
"""An upgrade while a pip download and a hundred TLS connections run: none fails, and no process mixes two versions."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toolkit import published
from toolkit.commands import CLEAN_ENVIRONMENT
from versions import PIPS, PYTHONS

HERE = Path(__file__).parent
PLACE = "/var/tmp/busy"


@pytest.fixture
def server(system):
    """(process, port); the authority lies in the root."""
    place = system.root.path / PLACE.lstrip("/")
    place.mkdir(exist_ok=True)
    shutil.copy(HERE / "busy_client.py", place)
    environment = {"PATH": os.defpath, "PYTHONPATH": str(published.portable_tree() / "py3")}
    with open(system.root.log, "a") as log:
        process = subprocess.Popen(
            [sys.executable, HERE / "busy_server.py", place / "authority.pem"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
        )  # fmt: skip
    yield process, int(process.stdout.readline())
    process.stdin.close()
    assert process.wait(60) == 0


def start(system, *words):
    """A program in the root that stays; its standard streams are ours."""
    return subprocess.Popen(
        ["chroot", system.root.path, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(CLEAN_ENVIRONMENT),
    )  # fmt: skip


@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
def test_nothing_fails_while_the_files_are_replaced(system, server, direction):
    process, port = server
    old, new = (system.old, system.new) if direction == "upgrade" else (system.new, system.old)
    if direction == "upgrade":
        system.install(old)
    clients = [start(system, python, f"{PLACE}/busy_client.py", str(port), f"{PLACE}/authority.pem") for python in PYTHONS]
    for client in clients:
        assert client.stdout.readline() == "ready\n", client.communicate()[0]
    # The managers may take longer than the 15 s that pip waits for an answer by itself.
    options = ["--disable-pip-version-check", "--timeout", "120", "download", "--no-deps", "--no-cache-dir", "--retries", "0"]
    options += ["--dest", f"{PLACE}/{direction}"]
    pip = start(
        system, PIPS[system.kind][-1], *options, "--index-url", f"https://localhost:{port}/simple",
        "--cert", f"{PLACE}/authority.pem", "slow",
    )  # fmt: skip
    process.stdin.write("begun\n")
    process.stdin.flush()
    assert process.stdout.readline() == "begun\n"

    system.install(new, verb="install" if direction == "upgrade" else "downgrade")
    assert system.module_versions() == {new}

    process.stdin.write("go on\n")
    process.stdin.flush()
    output, _ = pip.communicate(timeout=120)
    assert pip.returncode == 0, output
    for client in clients:
        output, _ = client.communicate("replaced\n", timeout=120)
        report = json.loads(output.splitlines()[-1])
        print(direction, system.kind, {name: report[name] for name in ("version", "rounds", "connections", "late", "refusals")})
        assert report["version"] == old
        assert report["errors"] == []
        assert report["connections"] == 100
        # What would have been loaded late was the other version's by then, and refused.
        assert report["late"] == []
        assert report["refusals"]
        assert all("was replaced while this program runs" in text for text in report["refusals"]), report["refusals"]
