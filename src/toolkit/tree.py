# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a root's files, and what differs between two of them.

``python -m toolkit.tree ROOT`` prints a snapshot's size and digest.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

#: The superuser's home inside a root.
_HOME = "/root"

#: The one list of places where a difference is not ours: the state, logs and caches
#: that package managers keep. Everything else must be equal to the byte.
EXCEPTIONS: Mapping[str, str] = {
    "/var/lib/dpkg": "dpkg's database",
    "/var/lib/apt": "apt's database: lists, extended states",
    "/var/lib/rpm": "rpm's database",
    "/var/lib/dnf": "dnf's history",
    "/var/cache": "caches of apt, dnf, debconf and ldconfig",
    "/var/log": "logs",
    f"{_HOME}/.cache": "root's own caches (pip)",
    "/home/user/.cache": "the ordinary user's own caches (pip)",
    "/proc": "the kernel's",
    "/dev": "the kernel's",
    "/sys": "the kernel's",
}

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True)
class Entry:
    """All that is compared of one path. Times are not: reading and installing move them."""

    kind: str
    mode: int
    owner: tuple[int, int]
    xattrs: tuple[tuple[str, bytes], ...]
    content: str
    target: str
    device: int


Snapshot = dict[str, Entry]


def _excepted(path: str) -> bool:
    return any(path == place or path.startswith(place + "/") for place in EXCEPTIONS)


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _entry(path: str) -> Entry:
    status = os.lstat(path)
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return Entry(
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        owner=(status.st_uid, status.st_gid),
        xattrs=tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names),
        content=_digest(path) if kind == "file" else "",
        target=os.readlink(path) if kind == "link" else "",
        device=status.st_rdev if kind.endswith("device") else 0,
    )


def _walk(root: Path) -> Iterator[str]:
    device = os.lstat(root).st_dev
    pending = [os.fspath(root)]
    while pending:
        directory = pending.pop()
        yield directory
        with os.scandir(directory) as entries:
            for item in entries:
                if item.is_dir(follow_symlinks=False):
                    if item.stat(follow_symlinks=False).st_dev != device:
                        raise OSError(f"{item.path} is another file system; unmount it before a snapshot")
                    pending.append(item.path)
                else:
                    yield item.path


def snapshot(root: Path) -> Snapshot:
    """Every path below ``root`` (as seen inside it) with its Entry, EXCEPTIONS left out.

    Raises OSError when something is mounted inside: its files would not be the root's.
    """
    prefix = len(os.fspath(root))
    found: Snapshot = {}
    for path in _walk(root):
        inside = path[prefix:] or "/"
        if not _excepted(inside):
            found[inside] = _entry(path)
    return found


def compare(before: Snapshot, after: Snapshot) -> list[str]:
    """One line per difference, sorted by path; an empty list means equal."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None:
            lines.append(f"{path}: added ({after[path].kind})")
        elif new is None:
            lines.append(f"{path}: gone ({old.kind})")
        elif old != new:
            changed = [field.name for field in fields(Entry) if getattr(old, field.name) != getattr(new, field.name)]
            lines.append(f"{path}: other {', '.join(changed)}")
    return lines


def digest(taken: Snapshot) -> str:
    """SHA-256 over a whole snapshot, to name it in a report."""
    total = hashlib.sha256()
    for path in sorted(taken):
        total.update(f"{path}\0{taken[path]!r}\0".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def main(arguments: list[str]) -> int:
    """Print number of paths and digest of the root named on the command line."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m toolkit.tree ROOT (a directory)", file=sys.stderr)
        return 2
    taken = snapshot(Path(arguments[0]).resolve())
    print(f"{len(taken)} paths, sha256 {digest(taken)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
