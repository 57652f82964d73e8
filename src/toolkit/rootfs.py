# SPDX-License-Identifier: Apache-2.0
"""Make rpm own everything in a root, so that dnf works on it as on a system of its own.

The root's files become one package that provides what Enterprise Linux's basic
packages provide. Transactions, dependencies and signatures are then real; the
content of the system is still Debian's, and reports must say so.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.roots import Root

#: Not packaged: what the kernel or a package manager keeps there.
_LEFT_OUT = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/cache", "/var/lib/rpm", "/var/lib/dnf", "/rootfs")

_SPEC = """Name: rootfs
Version: 9
Release: 1
Summary: The files of a throw-away root, as one package
License: various
AutoReqProv: no
@PYTHONS@
Provides: python3 = 3.9, python2 = 2.7.18
Provides: rtld(GNU_HASH)
Provides: ca-certificates
Provides: system-release = 9, redhat-release = 9
@LIBRARIES@
%description
Stands for the basic packages of a system in tests.
%install
mkdir -p %{buildroot}
cd / && tar -cf - --no-recursion -T /rootfs/paths | tar -C %{buildroot} -xpf -
%files -f /rootfs/files
"""

#: Beginnings of the paths of the C library's parts.
_LIBRARIES = tuple(
    f"/lib/{os.uname().machine}-linux-gnu/{name}"
    for name in ("ld-", "libc.", "libc-", "libdl", "libm.", "libm-", "libpthread", "librt")
)

#: No compression (the payload is never unpacked), no stripping, no rewriting of scripts.
_DEFINES = {
    "_topdir": "/rootfs",
    "_binary_payload": "w0.ufdio",
    "__os_install_post": "%{nil}",
    "debug_package": "%{nil}",
    "_build_id_links": "none",
    "_unpackaged_files_terminate_build": "0",
}


def _paths(root: Path) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for directory, names, files in os.walk(root):
        inside = directory[len(str(root)) :] or ""
        names[:] = [name for name in names if f"{inside}/{name}" not in _LEFT_OUT]
        for name in sorted(names + files):
            path = os.path.join(directory, name)
            mode = os.lstat(path).st_mode
            found.append((f"{inside}/{name}", stat.S_ISDIR(mode)))
    return found


def _quoted(path: str) -> str:
    # rpm expands patterns in file lists and has no escape for them; "?" matches the character.
    for character in "\\*[]{}":
        path = path.replace(character, "?")
    return '"' + path.replace("%", "%%") + '"'


def register(root: Root, versions: Sequence[str], files: Sequence[str] = ()) -> None:
    """Build the package inside ``root`` and enter it into rpm's database there.

    It provides ``python(abi)`` of each of the ``versions``, and ``files`` that come later or by another path.
    """
    paths = _paths(root.path)
    work = root.make_directory("/rootfs")
    (work / "paths").write_text("".join(f".{path}\n" for path, _ in paths), encoding="utf-8")
    (work / "files").write_text(
        "".join(("%dir " if directory else "") + _quoted(path) + "\n" for path, directory in paths), encoding="utf-8"
    )
    # Asked of rpm's own generator for the C library alone: over every file it takes minutes.
    # Newer roots have /lib below /usr.
    found = [path for path, _ in paths if path.removeprefix("/usr").startswith(_LIBRARIES) and ".so" in path]
    listing = "\n".join(sorted(found))
    (work / "libraries").write_text(listing + "\n", encoding="utf-8")
    provides = root.run(["sh", "-c", "/usr/lib/rpm/elfdeps --provides < /rootfs/libraries"]).output.split("\n")
    lines = "\n".join(f"Provides: {name}" for name in sorted(set(filter(None, provides))))
    pythons = "\n".join([*(f"Provides: python(abi) = {version}" for version in versions), *(f"Provides: {path}" for path in files)])
    (work / "rootfs.spec").write_text(_SPEC.replace("@LIBRARIES@", lines).replace("@PYTHONS@", pythons), encoding="utf-8")
    defines = [word for name, value in _DEFINES.items() for word in ("--define", f"{name} {value}")]
    # rpmbuild classifies every file, which takes minutes with libmagic's own thousands of rules.
    (work / "magic").write_text("0 string \\177ELF ELF\n", encoding="ascii")
    root.run(
        ["rpmbuild", "-bb", "--quiet", *defines, "/rootfs/rootfs.spec"],
        environment={"MAGIC": "/rootfs/magic"}, timeout=600,
    )
    package = next((work / "RPMS").rglob("*.rpm"))
    inside = str(package)[len(str(root.path)) :]
    root.run(["rpm", "--initdb"])
    # --justdb: the very files of the package are in place already.
    root.run(["rpm", "--install", "--justdb", inside])
    root.run(["rm", "-rf", "/rootfs"])
