# SPDX-License-Identifier: Apache-2.0
"""Roots that are overlays: what is done in one reaches neither the tree below it nor the machine."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, pathlib, sys
from toolkit import mounts, roots, tree
from toolkit.commands import CommandError
place = pathlib.Path(sys.argv[1])
if sys.argv[2] == "separate":
    mounts.separate()
point = place / "root"
point.mkdir()
if not mounts.overlay(place / "tree", point, place / "log"):
    sys.exit("no overlay")
print(oct(point.stat().st_mode & 0o7777))
before = tree.snapshot(point)
(point / "file").write_text("changed")
(point / "directory" / "gone").unlink()
print(tree.compare(before, tree.snapshot(point)))
if sys.argv[3] == "remove":
    roots.Root(point, place / "log").remove()
elif sys.argv[3] == "busy":
    held = open(point / "file")
    try:
        roots.remove_tree(place)
    except CommandError as error:
        print(error)
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "tree" / "directory").mkdir(parents=True)
    (tmp_path / "tree").chmod(0o1755)
    (tmp_path / "tree" / "file").write_text("as it was")
    (tmp_path / "tree" / "directory" / "gone").write_text("here")
    return tmp_path


def run(place, *words):
    command = [sys.executable, "-c", PROGRAM, place, *words]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.parametrize("end", ["remove", "exit", "busy"])
def test_only_the_overlay_is_changed_and_no_mount_stays(place, as_root, end):
    done = run(place, "separate", end)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["0o1755", "['/directory/gone: gone (file)', '/file: other content']"]
    assert (place / "tree" / "file").read_text() == "as it was"
    assert (place / "tree" / "directory" / "gone").exists()
    with open("/proc/self/mountinfo") as mounted:
        assert str(place) not in mounted.read()
    assert (place / "root").exists() == (place / "root.changes").exists() == (end != "remove")
    busy = f"{place / 'root'} cannot be unmounted: umount: {place / 'root'}: target is busy."
    assert lines[2:] == ([busy] if end == "busy" else [])


def test_without_a_namespace_of_ones_own_nothing_is_mounted(place, as_root):
    done = run(place, "together", "exit")
    assert (done.returncode, done.stderr) == (1, "no overlay\n")
    assert os.listdir(place / "root") == []
