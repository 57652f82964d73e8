# SPDX-License-Identifier: Apache-2.0
"""The comparison of roots finds every kind of difference that it is there to find."""

import os
import subprocess
import sys

import pytest
from toolkit import tree


@pytest.fixture
def place(tmp_path):
    (tmp_path / "usr" / "lib").mkdir(parents=True)
    (tmp_path / "var" / "cache" / "apt").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "module.py").write_text("answer = 42\n")
    (tmp_path / "usr" / "lib" / "link").symlink_to("module.py")
    return tmp_path


def differences_after(place, change):
    before = tree.snapshot(place)
    change(place)
    return tree.compare(before, tree.snapshot(place))


def same_size_and_time(place):
    path = place / "usr" / "lib" / "module.py"
    status = path.stat()
    path.write_text("answer = 43\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def other_target(place):
    path = place / "usr" / "lib" / "link"
    path.unlink()
    path.symlink_to("other.py")


def file_becomes_directory(place):
    path = place / "usr" / "lib" / "module.py"
    path.unlink()
    path.mkdir(mode=0o644)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda place: (place / "usr/lib/__pycache__").mkdir(), ["/usr/lib/__pycache__: added (directory)"]),
        (lambda place: (place / "usr/lib/planted.pyc").touch(), ["/usr/lib/planted.pyc: added (file)"]),
        (lambda place: (place / "usr/lib/module.py").unlink(), ["/usr/lib/module.py: gone (file)"]),
        (lambda place: (place / "usr/lib/module.py").chmod(0o755), ["/usr/lib/module.py: other mode"]),
        (lambda place: (place / "usr/lib").chmod(0o700), ["/usr/lib: other mode"]),
        (same_size_and_time, ["/usr/lib/module.py: other content"]),
        (other_target, ["/usr/lib/link: other target"]),
        (file_becomes_directory, ["/usr/lib/module.py: other kind, content"]),
        (lambda place: os.utime(place / "usr" / "lib", (1, 1)), []),
        (lambda place: (place / "var/cache/apt/pkgcache.bin").touch(), []),
        (lambda place: None, []),
    ],
)
def test_a_change_is_reported_as_what_it_is(place, change, expected):
    assert differences_after(place, change) == expected


def test_another_owner_is_reported(place, as_root):
    assert differences_after(place, lambda here: os.chown(here / "usr/lib/module.py", 1, 0)) == [
        "/usr/lib/module.py: other owner"
    ]


def test_an_extended_attribute_is_reported(place, as_root):
    assert differences_after(place, lambda here: os.setxattr(here / "usr/lib/module.py", "user.note", b"x")) == [
        "/usr/lib/module.py: other xattrs"
    ]


def test_every_exception_says_why():
    assert all(place.startswith("/") and not place.endswith("/") and reason for place, reason in tree.EXCEPTIONS.items())


MOUNTED = """
import pathlib, subprocess, sys
from toolkit import roots, tree
from toolkit.commands import CommandError
place = pathlib.Path(sys.argv[1])
inside = place / "root" / "mnt"
inside.mkdir(parents=True)
subprocess.run(["mount", "-t", "tmpfs", "none", inside], check=True)
(inside / "precious").touch()
for attempt in (lambda: roots.remove_tree(place / "root"), lambda: tree.snapshot(place / "root")):
    try:
        attempt()
    except (CommandError, OSError) as error:
        print(error)
print((inside / "precious").exists())
"""


def test_removal_and_snapshot_refuse_a_root_with_a_mount_inside(tmp_path, as_root):
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", MOUNTED, tmp_path],
        stdout=subprocess.PIPE, text=True, check=True,
    )
    inside = tmp_path / "root" / "mnt"
    assert done.stdout.splitlines() == [
        f"{inside} is mounted; unmount it, then remove {tmp_path / 'root'}",
        f"{inside} is another file system; unmount it before a snapshot",
        "True",
    ]
