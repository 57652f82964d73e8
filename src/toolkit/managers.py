# SPDX-License-Identifier: Apache-2.0
"""apt and dnf, each as an administrator types it inside a root."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from toolkit import repository
from toolkit.commands import Completed
from toolkit.releases import Release
from toolkit.roots import Root

#: Every package of ours has this in its name.
_OURS = "tls-bootstrap"


class Manager(Protocol):
    """What the demo and the package tests ask of a package manager."""

    name: str

    def add_repository(self, directory: Path, url: str) -> None:
        """Write repository definition and key; ``directory`` holds both repositories, ``url`` serves it."""

    def remove_repository(self) -> None:
        """Undo add_repository."""

    def refresh(self, *, check: bool = True) -> Completed:
        """Read the repository's indexes, whatever is cached."""

    def install(self, packages: Sequence[str], *, check: bool = True) -> Completed:
        """Install by name, with dependencies."""

    def remove(self, packages: Sequence[str]) -> None:
        """Remove by name, and then what was installed for these packages only."""

    def forget(self) -> None:
        """Drop everything that was downloaded, indexes and packages."""

    def installed(self) -> list[str]:
        """The names of all packages of ours that are there, sorted."""


class _Files:
    """The files that make a repository known to a root."""

    def __init__(self, root: Root, key: str) -> None:
        self._root = root
        self._key = key
        self._written: list[Path] = []

    def add(self, key: Path, files: dict[str, str]) -> None:
        target = self._root.path / self._key.lstrip("/")
        self._make_parents(target)
        shutil.copyfile(key, target)
        self._written.append(target)
        for path, content in files.items():
            self._make_parents(self._root.path / path.lstrip("/"))
            self._written.append(self._root.write(path, content))

    def _make_parents(self, target: Path) -> None:
        for parent in reversed(target.parents):
            if not parent.exists():
                parent.mkdir()
                self._written.append(parent)

    def remove(self) -> None:
        for path in reversed(self._written):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
        self._written.clear()


class Apt:
    """apt-get of Debian and Ubuntu."""

    name = "apt"

    def __init__(self, root: Root, release: Release) -> None:
        self._root = root
        self._release = release
        self._files = _Files(root, repository.apt_key_path(release))

    def add_repository(self, directory: Path, url: str) -> None:
        definition = repository.apt_source(f"{url}/{repository.APT}", self._release)
        self._files.add(directory / repository.APT / repository.APT_KEY, dict([definition]))

    def remove_repository(self) -> None:
        self._files.remove()

    def refresh(self, *, check: bool = True) -> Completed:
        # Error-Mode=any: without it an index that cannot be verified is only a warning.
        return self._root.run(["apt-get", "-o", "APT::Update::Error-Mode=any", "update"], check=check)

    def install(self, packages: Sequence[str], *, check: bool = True) -> Completed:
        return self._root.run(["apt-get", "install", "--yes", *packages], check=check)

    def remove(self, packages: Sequence[str]) -> None:
        self._root.run(["apt-get", "remove", "--yes", *packages])
        self._root.run(["apt-get", "autoremove", "--yes"])

    def forget(self) -> None:
        self._root.run(["apt-get", "clean"])
        self._root.run(["sh", "-c", "rm -rf /var/lib/apt/lists/*"])

    def installed(self) -> list[str]:
        listing = self._root.run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\\n"]).output
        rows = (line.split() for line in listing.splitlines())
        return sorted(name for name, status in rows if _OURS in name and status != "not-installed")


class Dnf:
    """dnf, with rpm's own checks."""

    name = "dnf"

    def __init__(self, root: Root, releases: Sequence[Release]) -> None:
        self._root = root
        self._releases = releases
        self._files = _Files(root, repository.YUM_KEY_PATH)

    def add_repository(self, directory: Path, url: str) -> None:
        machine = os.uname().machine
        definitions = [
            repository.yum_source(f"{url}/{repository.yum_part(release, machine)}", f"tls-bootstrap-{release.codename}")
            for release in self._releases
        ]
        self._files.add(directory / repository.YUM / repository.YUM_KEY, dict(definitions))

    def remove_repository(self) -> None:
        self._files.remove()

    def _dnf(self, *arguments: str, check: bool = True) -> Completed:
        options = ["--assumeyes", f"--releasever={self._releases[0].number}", "--setopt=metadata_expire=0"]
        return self._root.run(["dnf", *options, *arguments], check=check)

    def refresh(self, *, check: bool = True) -> Completed:
        return self._dnf("makecache", "--refresh", check=check)

    def install(self, packages: Sequence[str], *, check: bool = True) -> Completed:
        return self._dnf("install", *packages, check=check)

    def remove(self, packages: Sequence[str]) -> None:
        self._dnf("remove", *packages)
        self._dnf("autoremove")

    def forget(self) -> None:
        self._root.run(["sh", "-c", "rm -rf /var/cache/dnf/*"])

    def installed(self) -> list[str]:
        listing = self._root.run(["rpm", "--query", "--all", "--queryformat", "%{NAME}\\n"]).output
        return sorted(name for name in listing.split() if _OURS in name)
