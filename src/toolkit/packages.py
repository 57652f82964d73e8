# SPDX-License-Identifier: Apache-2.0
"""What the packages of both families are made from: a source tree, its version numbers, its one changelog.

``python -m toolkit.packages`` (`make control`) writes what is generated and committed anew: debian/control, and the
spec's part from the release matrix.
"""

from __future__ import annotations

import datetime
import email.utils
import functools
import hashlib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openssl import source
from toolkit.commands import run
from toolkit.releases import TOP

NAME = "tls-bootstrap"
MAINTAINER = "tls-bootstrap maintainers <tls-bootstrap@lists.example.org>"
_CHANGELOG_COLUMNS = 76
_HEADING = re.compile(r"^## (\d+(?:\.\d+)+) \((\d{4}-\d\d-\d\d)\)$")

#: What a source package holds of the tree, beside the files at its top.
_PARTS = ("debian", "rpm", "src")


@dataclass(frozen=True)
class Change:
    """One version's section of CHANGES.md."""

    version: str
    date: datetime.date
    items: tuple[str, ...]

    @property
    def moment(self) -> datetime.datetime:
        """Its date as a time: changelogs and archives carry this one, never the clock's."""
        return datetime.datetime.combine(self.date, datetime.time(), datetime.timezone.utc)


def changes(text: str) -> list[Change]:
    """The sections of CHANGES.md, newest first.

    A section starts with ``## VERSION (YYYY-MM-DD)`` and holds ``* item`` lines, which
    may go on in indented lines. Raises ValueError for a heading of another form.
    """
    sections: list[tuple[str, str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            heading = _HEADING.match(line)
            if not heading:
                raise ValueError(f"CHANGES.md:{number}: expected '## VERSION (YYYY-MM-DD)', found '{line}'")
            sections.append((heading[1], heading[2], []))
        elif sections and line.startswith(("* ", "- ")):
            sections[-1][2].append(line[2:].strip())
        elif sections and sections[-1][2] and line.startswith("  "):
            sections[-1][2][-1] += " " + line.strip()
    if not sections:
        raise ValueError("CHANGES.md: no section '## VERSION (YYYY-MM-DD)'")
    return [Change(name, datetime.date.fromisoformat(date), tuple(items)) for name, date, items in sections]


def debian_changelog(history: Sequence[Change], suffix: str, codename: str) -> str:
    """debian/changelog; ``suffix`` goes behind the Debian revision, as ``~debian.12~bookworm``."""
    sections = []
    for change in history:
        items = "".join(
            textwrap.fill(item, _CHANGELOG_COLUMNS, initial_indent="  * ", subsequent_indent="    ") + "\n"
            for item in change.items
        )
        sections.append(
            f"{NAME} ({change.version}-1{suffix}) {codename}; urgency=medium\n\n{items}\n"
            f" -- {MAINTAINER}  {email.utils.format_datetime(change.moment)}\n"
        )
    return "\n".join(sections)


def rpm_changelog(history: Sequence[Change]) -> str:
    """The entries below %changelog."""
    sections = []
    for change in history:
        items = "".join(
            textwrap.fill(item, _CHANGELOG_COLUMNS, initial_indent="- ", subsequent_indent="  ") + "\n"
            for item in change.items
        ).replace("%", "%%")
        sections.append(f"* {change.date:%a %b %d %Y} {MAINTAINER} - {change.version}-1\n{items}")
    return "\n".join(sections)


@dataclass(frozen=True)
class Source:
    """A source tree that packages are made from: this checkout, or another version of it."""

    top: Path = TOP

    @property
    def version(self) -> str:
        """The one version number, of the file VERSION."""
        return (self.top / "VERSION").read_text(encoding="ascii").strip()

    @property
    def openssl_version(self) -> str:
        """The bundled OpenSSL's version."""
        return (self.top / "src" / "openssl" / "version").read_text(encoding="ascii").strip()

    @property
    def history(self) -> list[Change]:
        """The changelog; its newest section is this version's, or ValueError."""
        found = changes((self.top / "CHANGES.md").read_text(encoding="utf-8"))
        if found[0].version != self.version:
            raise ValueError(f"CHANGES.md begins with {found[0].version}, VERSION says {self.version}")
        return found

    def portable(self, machine: str) -> Path:
        """Where ``make portable`` leaves the binaries for a machine, as uname names it."""
        return self.top / "build" / "portable" / machine

    def files(self) -> list[str]:
        """Relative paths of every file that belongs into a source package.

        In a checkout these are the files that git knows or would add; a tree without git,
        unpacked from a source archive, holds nothing else but byte code.
        """
        if (self.top / ".git").exists():
            listing = run(
                ["git", "-C", self.top, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], errors_apart=True
            ).output
            names = listing.split("\0")
        else:
            below = [path for part in _PARTS for path in (self.top / part).rglob("*") if "__pycache__" not in path.parts]
            found = [path for path in [*self.top.glob("*"), *below] if path.is_symlink() or path.is_file()]
            names = [str(path.relative_to(self.top)) for path in found]
        wanted = (name for name in names if name and ("/" not in name or name.split("/")[0] in _PARTS))
        return sorted(name for name in wanted if os.path.lexists(self.top / name))

    def copy(self, parent: Path, *, without: Sequence[str] = ()) -> Path:
        """A copy as ``parent/tls-bootstrap-VERSION``, the directories ``without`` left out."""
        target = parent / f"{NAME}-{self.version}"
        for name in self.files():
            if name.split("/")[0] in without:
                continue
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.top / name, copy, follow_symlinks=False)
        return target

    def archive(self, target: Path, *, without: Sequence[str] = ()) -> Path:
        """A .tar.gz of the tree, equal to the byte wherever and whenever it is made."""
        parent = target.with_name(f".{target.name}.tree")
        tree = self.copy(parent, without=without)
        moment = f"@{int(self.history[0].moment.timestamp())}"
        run([
            "tar", "-C", parent, "--sort=name", "--format=gnu", "--owner=0", "--group=0", "--numeric-owner",
            f"--mtime={moment}", "--mode=u+rw,go=rX", "-cf", target.with_suffix(""), tree.name,
        ])  # fmt: skip
        run(["gzip", "-9n", "--force", target.with_suffix("")])
        shutil.rmtree(parent)
        return target

    @functools.lru_cache(maxsize=4)  # noqa: B019  (a tree is not changed while packages are made from it)
    def digest(self, sources: bool) -> str:
        """SHA-256 over the names, modes and contents of what packages are made of.

        Binary packages hold nothing of the build side (src/toolkit), source packages do.
        """
        names = [name for name in self.files() if sources or not name.startswith("src/toolkit/")]
        makers = [f"src/toolkit/packages{part}.py" for part in ("", "_debian", "_rpm")]
        return digest_of([(name, self.top / name) for name in [*names, *(() if sources else makers)]])


def digest_of(files: Sequence[tuple[str, Path]]) -> str:
    """SHA-256 over (name, file) pairs: names, modes and contents."""
    total = hashlib.sha256()
    for name, path in files:
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        total.update(f"{name}\0{path.lstat().st_mode:o}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def openssl_tarball() -> Path:
    """The pinned tarball of OpenSSL, unchanged: Source1, and the component of the Debian source package."""
    return Path(source.tarball())


def main() -> int:
    """Write debian/control and the spec's part from the matrix."""
    from toolkit import packages_debian, packages_rpm, releases_mock

    for path in (packages_debian.write_control(TOP), packages_rpm.write_matrix(TOP), *releases_mock.write()):
        print(f"{path.relative_to(TOP)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
