# SPDX-License-Identifier: Apache-2.0
"""Overlays: a directory that looks like a copy of a tree, and takes neither the time nor the room of one.

They are mounted in a mount namespace of this process alone. However it ends, no mount is left on the machine, only a
directory with what was changed.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from toolkit.commands import CommandError, run

_CLONE_NEWNS = 0x00020000  # sched.h
#: Mount points of this process -> where their changes are kept.
_made: dict[str, Path] = {}
_own_namespace = False


def separate() -> None:
    """Give this process a mount namespace of its own; without the right to do so nothing happens, and `overlay` makes none.

    To be called before threads are started: one that runs already would stay in the old namespace.
    """
    global _own_namespace
    if not _own_namespace and ctypes.CDLL(None).unshare(_CLONE_NEWNS) == 0:
        run(["mount", "--make-rprivate", "/"])
        _own_namespace = True


def _changes(point: Path) -> Path:
    return point.with_name(point.name + ".changes")


def overlay(tree: Path, point: Path, log: Path) -> bool:
    """Mount at the directory ``point`` what looks like a copy of ``tree``; whether that was possible.

    It is not before `separate`, nor where the file systems cannot be stacked.
    """
    if not _own_namespace:
        return False
    changes = _changes(point)
    run(["rm", "-rf", "--one-file-system", "--", changes])
    for name in ("upper", "work"):
        (changes / name).mkdir(parents=True)
    # The root of the overlay is the upper directory.
    status = tree.stat()
    os.chown(changes / "upper", status.st_uid, status.st_gid)
    (changes / "upper").chmod(status.st_mode & 0o7777)
    options = f"lowerdir={tree},upperdir={changes / 'upper'},workdir={changes / 'work'}"
    # mount has its own meaning for these in options.
    mountable = not set(options) & set(":\\")
    command = ["mount", "-t", "overlay", "-o", options, "overlay", point]
    if not mountable or run(command, log=log, check=False).status:
        run(["rm", "-rf", "--", changes])
        return False
    _made[os.path.realpath(point)] = changes
    return True


def release(place: str) -> None:
    """Undo the overlays of this process at and below a path, and forget what was changed in them.

    Raises CommandError when one is in use.
    """
    for point in [point for point in _made if point == place or point.startswith(place + "/")]:
        done = run(["umount", point], check=False)
        if done.status:
            raise CommandError(f"{point} cannot be unmounted: {done.last_line()}")
        run(["rm", "-rf", "--one-file-system", "--", _made.pop(point)])
