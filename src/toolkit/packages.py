# SPDX-License-Identifier: Apache-2.0
"""Build the .deb and .rpm packages, by dpkg-buildpackage and rpmbuild, from this source tree.

Both take their numbers from VERSION, src/openssl/version and CHANGES.md, and their
binaries from PREBUILT when it is given: the published packages carry the portable
tree. ``python -m toolkit.packages`` writes debian/control anew from control.in.
"""

from __future__ import annotations

import datetime
import email.utils
import hashlib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands import CLEAN_ENVIRONMENT, CommandError, run
from toolkit.roots import Root

TOP = Path(__file__).resolve().parents[2]
_MAINTAINER = "tls-bootstrap maintainers <tls-bootstrap@lists.example.org>"
_CHANGELOG_COLUMNS = 76
_HEADING = re.compile(r"^## (\d+(?:\.\d+)+) \((\d{4}-\d\d-\d\d)\)$")


@dataclass(frozen=True)
class DebianRelease:
    """What debian/control depends on."""

    debhelper: int
    standards: str
    python2: bool


#: The committed control is the newest release's, which has no Python 2 any more.
NEWEST = DebianRelease(debhelper=13, standards="4.7.2", python2=False)
#: One set of packages for every release, built on the machine that publishes.
PORTABLE = DebianRelease(debhelper=13, standards="4.6.2", python2=True)


@dataclass(frozen=True)
class Change:
    """One version's section of CHANGES.md."""

    version: str
    date: datetime.date
    items: tuple[str, ...]


def version(top: Path = TOP) -> str:
    """The one version number, of the file VERSION."""
    return (top / "VERSION").read_text(encoding="ascii").strip()


def openssl_version(top: Path = TOP) -> str:
    """The bundled OpenSSL's version."""
    return (top / "src" / "openssl" / "version").read_text(encoding="ascii").strip()


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
        moment = datetime.datetime.combine(change.date, datetime.time(12), datetime.timezone.utc)
        items = "".join(
            textwrap.fill(item, _CHANGELOG_COLUMNS, initial_indent="  * ", subsequent_indent="    ") + "\n"
            for item in change.items
        )
        sections.append(
            f"tls-bootstrap ({change.version}-1{suffix}) {codename}; urgency=medium\n\n{items}\n"
            f" -- {_MAINTAINER}  {email.utils.format_datetime(moment)}\n"
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
        sections.append(f"* {change.date:%a %b %d %Y} {_MAINTAINER} - {change.version}-1\n{items}")
    return "\n".join(sections)


def control(template: str, release: DebianRelease) -> str:
    """debian/control for one release from control.in.

    ``@NAME@`` stands for a value, a line ``@IF python2@`` starts what only releases with
    Python 2 have, up to ``@ELSE@`` or ``@END@``.
    """
    wanted = True
    lines = []
    for line in template.splitlines():
        if line == "@IF python2@":
            wanted = release.python2
        elif line == "@ELSE@":
            wanted = not wanted
        elif line == "@END@":
            wanted = True
        elif wanted:
            lines.append(line)
    debhelper = f"debhelper-compat (= {release.debhelper})" if release.debhelper >= 11 else "debhelper (>= 9)"
    text = "\n".join(lines) + "\n"
    return text.replace("@DEBHELPER@", debhelper).replace("@STANDARDS@", release.standards)


def spec(text: str, history: Sequence[Change], numbers: tuple[str, str]) -> str:
    """The spec with (our, OpenSSL's) version numbers and the changelog in place."""
    for name, value in zip(("upstream_version", "openssl_version"), numbers):
        text, found = re.subn(rf"^%global {name} .*$", f"%global {name} {value}", text, flags=re.MULTILINE)
        if found != 1:
            raise ValueError(f"rpm/tls-bootstrap.spec: expected one line '%global {name} …', found {found}")
    return text.rstrip("\n") + "\n" + rpm_changelog(history)


#: What a source package holds of the tree, beside the files at its top.
_PARTS = ("debian", "rpm", "src")


def sources() -> list[str]:
    """Relative paths of every file that belongs into a source package.

    In a checkout these are the files that git knows or would add; a tree without git,
    unpacked from a source archive, holds nothing else but byte code.
    """
    if (TOP / ".git").exists():
        listing = run(
            ["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], errors_apart=True
        ).output
        names = listing.split("\0")
    else:
        found = [path for part in _PARTS for path in (TOP / part).rglob("*") if "__pycache__" not in path.parts]
        names = [str(path.relative_to(TOP)) for path in [*TOP.glob("*"), *found] if path.is_symlink() or path.is_file()]
    wanted = (name for name in names if name and ("/" not in name or name.split("/")[0] in _PARTS))
    return sorted(name for name in wanted if os.path.lexists(TOP / name))


def _source_tree(parent: Path) -> Path:
    """A copy of the sources as ``parent/tls-bootstrap-VERSION``."""
    target = parent / f"tls-bootstrap-{version()}"
    for name in sources():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / name, copy, follow_symlinks=False)
    return target


def content_key(prebuilt: Path) -> str:
    """A digest of all that the packages are made of: sources, binaries and the tools' versions."""
    digest = hashlib.sha256()
    binaries = [path for path in sorted(prebuilt.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    for path in [TOP / name for name in sources()] + binaries:
        content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        digest.update(f"{path}\0{path.lstat().st_mode}\0{len(content)}\0".encode())
        digest.update(content)
    tools = ["dpkg-dev", "debhelper", "dh-python"]
    digest.update(run(["dpkg-query", "--show", *tools], errors_apart=True).output.encode())
    return digest.hexdigest()


def _history() -> list[Change]:
    history = changes((TOP / "CHANGES.md").read_text(encoding="utf-8"))
    if history[0].version != version():
        raise ValueError(f"CHANGES.md begins with {history[0].version}, VERSION says {version()}")
    return history


def build_debs(work: Path, prebuilt: Path, codename: str, log: Path, suffix: str = "") -> list[Path]:
    """The .deb files, made by dpkg-buildpackage in ``work`` (a new directory)."""
    work.mkdir(parents=True)
    tree = _source_tree(work)
    debian = tree / "debian"
    (debian / "changelog").write_text(debian_changelog(_history(), suffix, codename), encoding="utf-8")
    template = (debian / "control.in").read_text(encoding="utf-8")
    (debian / "control").write_text(control(template, PORTABLE), encoding="utf-8")
    environment = {**CLEAN_ENVIRONMENT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PREBUILT": str(prebuilt)}
    # -d: the binaries are there already, so what compiling them needs is not asked for.
    run(
        ["dpkg-buildpackage", "--build=binary", "-d", "--unsigned-changes", "--unsigned-buildinfo"],
        directory=tree, environment=environment, log=log,
    )
    return sorted(work.glob("*.deb"))


@dataclass(frozen=True)
class RpmTarget:
    """The macros of a release that its own rpm configuration would set."""

    name: str
    defines: tuple[tuple[str, str], ...]


EL9 = RpmTarget(
    "el9",
    (
        ("dist", ".el9"),
        ("rhel", "9"),
        ("_libdir", "/usr/lib64"),
        ("_with_python2", "1"),
        ("__python3", "/usr/bin/python3.9"),
        ("__python2", "/usr/bin/python2.7"),
        ("python3_version", "3.9"),
        ("set_build_flags", "%{nil}"),
    ),
)


def build_rpms(root: Root, work: Path, prebuilt: Path, target: RpmTarget) -> list[Path]:
    """The .rpm files, made by the rpmbuild of ``root``, which has the interpreters, into ``work``."""
    work.mkdir(parents=True)
    top = root.make_directory("/rpmbuild")
    for name in ("SOURCES", "SPECS"):
        (top / name).mkdir()
    tree = _source_tree(work)
    run(["tar", "-C", work, "-czf", top / "SOURCES" / f"{tree.name}.tar.gz", tree.name], log=root.log)
    text = (tree / "rpm" / "tls-bootstrap.spec").read_text(encoding="utf-8")
    (top / "SPECS" / "tls-bootstrap.spec").write_text(
        spec(text, _history(), (version(), openssl_version())), encoding="utf-8"
    )
    shutil.copytree(prebuilt, top / "prebuilt")
    defines = [word for name, value in target.defines for word in ("--define", f"{name} {value}")]
    # --nodeps: what the root has came from .deb files and has other names there.
    root.run(
        ["rpmbuild", "-bb", "--nodeps", "--define", "_topdir /rpmbuild", *defines,
         "/rpmbuild/SPECS/tls-bootstrap.spec"],
        environment={"PREBUILT": "/rpmbuild/prebuilt"},
        network=False,
    )
    packages = [Path(shutil.copy(package, work)) for package in sorted((top / "RPMS").rglob("*.rpm"))]
    if not packages:
        raise CommandError(f"rpmbuild left no package; see {root.log}")
    return packages


def main() -> int:
    """Write debian/control, the newest release's, from control.in."""
    debian = TOP / "debian"
    text = control((debian / "control.in").read_text(encoding="utf-8"), NEWEST)
    (debian / "control").write_text(text, encoding="utf-8")
    print("debian/control written from debian/control.in")
    return 0


if __name__ == "__main__":
    sys.exit(main())
