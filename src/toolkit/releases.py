# SPDX-License-Identifier: Apache-2.0
"""The release matrix: what is served, and what is known of it (releases.json), as typed data.

``python -m toolkit.releases`` prints it (`make matrix`); ``--readme`` brings README.md's table up to date.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
_DATA = Path(__file__).with_name("releases.json")
_BEGIN = "<!-- release matrix: `make matrix README=1` writes what follows -->"
_END = "<!-- end of the release matrix -->"

#: The glibc that portable binaries are made for (toolkit.portable).
_OLDEST_GLIBC = (2, 17)


#: What is confirmed or not: of every release, and of those that have dpkg.
FACTS = ("pythons", "pip", "openssl", "glibc", "gcc", "tools", "support")
DEB_FACTS = ("debhelper", "standards")


class MatrixError(ValueError):
    """releases.json says something that cannot be; the text names the release and the field."""


@dataclass(frozen=True)
class Stack:
    """One Python of a release, with its own site directory."""

    #: Beginning of the packages' names: python2, python3, python38, python3.11 ...
    id: str
    #: Major and minor, as in the names of directories.
    version: str
    #: What the vendor calls it, with a note.
    release: str
    #: The interpreter, absolute, as it is installed.
    program: str
    #: Package with its C headers.
    devel: str
    #: Package with its pip; empty where the vendor has none.
    pip_package: str
    #: That pip's version, with a note; empty where there is none.
    pip: str
    #: Whether `tls-bootstrap-pip` brings the hook for it (for EL 8's Python 2: where python2 is installed).
    system: bool

    @property
    def major(self) -> int:
        """2 or 3."""
        return int(self.version[0])

    @property
    def macro(self) -> str:
        """The id as part of an RPM macro's name, which holds no dots."""
        return self.id.replace(".", "")


@dataclass(frozen=True)
class Release:
    """One release of a distribution."""

    #: What a person types: ``make ubuntu-22.04``.
    name: str
    title: str
    #: ``deb`` or ``rpm``.
    family: str
    #: Directory below dists/ or yum/.
    codename: str
    #: What the vendor counts: 22.04, 9.
    number: str
    #: Behind a package's own revision; sorts so that an upgrade of the distribution upgrades the package.
    suffix: str
    stacks: tuple[Stack, ...]
    #: Interpreter in the first line of /usr/bin/tls-bootstrap.
    command_python: str
    openssl: str
    glibc: str
    gcc: str
    #: Package tools and their versions.
    tools: dict[str, str] = field(hash=False)
    #: What those tools can read; toolkit.releases_gate refuses packages that need more.
    features: frozenset[str]
    #: As the distribution calls them: amd64, x86_64 ...
    architectures: tuple[str, ...]
    flavours: tuple[str, ...]
    #: (plan, end as YYYY-MM or YYYY-MM-DD), soonest first.
    support: tuple[tuple[str, str], ...]
    #: The root in which its packages are installed by the tests; empty where there is none.
    stand_in: str
    #: The day on which they were last seen installed and proven there by its manager; empty: not yet.
    shown: str
    #: The facts of FACTS that a test compares with the release itself, in a root of it.
    seen: tuple[str, ...]
    #: Those that its vendor, or a public record of a build on it, tells.
    read: tuple[str, ...]
    #: Those of neither kind.
    unconfirmed: tuple[str, ...]
    #: Highest stable compat level of its debhelper, and its policy version; 0 and empty for RPM.
    debhelper: int = 0
    standards: str = ""

    @property
    def python2(self) -> bool:
        """Whether it has a Python 2.7."""
        return any(stack.major == 2 for stack in self.stacks)

    @property
    def system_python3(self) -> Stack:
        """The Python 3 that the vendor's own programs run with."""
        return next(stack for stack in self.stacks if stack.id == "python3")

    @property
    def substance(self) -> str:
        """What packages are made of it, as a text that is the same in every process: not how well it is known."""
        told = {name: value for name, value in asdict(self).items() if name not in ("shown", "seen", "read", "unconfirmed")}
        # A set has another order in each process.
        return json.dumps(told, sort_keys=True, default=sorted)

    @property
    def proof(self) -> str:
        """How far its packages are proven here."""
        if not self.shown:
            return "built"
        if self.stand_in == self.codename:
            return "installed on the real thing"
        if self.stand_in == "el-root":
            return "installed by dnf in an RPM root (Debian's content)"
        return f"installed on its stand-in {by_name(self.stand_in).title}"


def _fail(name: str, text: str) -> MatrixError:
    return MatrixError(f"{_DATA.name}: {name}: {text}")


def _release(row: dict[str, Any]) -> Release:
    name = str(row.get("name", "a release without a name"))
    known = {each.name for each in fields(Release)}
    if unknown := sorted(set(row) - known):
        raise _fail(name, f"unknown field {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    try:
        return Release(**{
            **row,
            "stacks": tuple(Stack(**stack) for stack in row["stacks"]),
            "features": frozenset(row["features"]),
            "architectures": tuple(row["architectures"]),
            "flavours": tuple(row["flavours"]),
            "support": tuple((plan, end) for plan, end in row["support"]),
            **{kind: tuple(row[kind]) for kind in ("seen", "read", "unconfirmed")},
        })
    except (KeyError, TypeError) as error:
        raise _fail(name, f"field missing or of another form: {error}") from error


def _check(release: Release) -> None:
    if release.family not in ("deb", "rpm"):
        raise _fail(release.name, f"family '{release.family}' is neither deb nor rpm")
    if tuple(int(part) for part in release.glibc.split(".")) < _OLDEST_GLIBC:
        raise _fail(release.name, f"glibc {release.glibc} is older than the portable binaries need")
    if {bool(release.debhelper), bool(release.standards)} != {release.family == "deb"}:
        raise _fail(release.name, "debhelper and standards belong to deb releases, and to all of them")
    for _, end in release.support:
        if not re.fullmatch(r"20\d\d-[01]\d(-[0-3]\d)?", end):
            raise _fail(release.name, f"support ends '{end}': expected YYYY-MM or YYYY-MM-DD")
    if release.shown and not release.stand_in:
        raise _fail(release.name, "shown where? stand_in is empty")
    told = sorted([*release.seen, *release.read, *release.unconfirmed])
    wanted = sorted(FACTS + (DEB_FACTS if release.family == "deb" else ()))
    if told != wanted:
        rule = f"each of {', '.join(wanted)} belongs into one of seen, read and unconfirmed"
        raise _fail(release.name, f"{rule}; found {', '.join(told)}")
    if release.seen and release.stand_in != release.codename:
        raise _fail(release.name, f"seen where? Its stand-in is {release.stand_in or 'empty'}")
    if not any(stack.id == "python3" for stack in release.stacks):
        raise _fail(release.name, "no stack python3")


def parse(text: str, part: str = "releases") -> tuple[Release, ...]:
    """The releases of one list in a text like releases.json's. Raises MatrixError for what cannot be."""
    try:
        rows = json.loads(text)[part]
    except (ValueError, KeyError, TypeError) as error:
        raise MatrixError(f"{_DATA.name}: not JSON with a list '{part}': {error}") from error
    releases = tuple(_release(row) for row in rows)
    for release in releases:
        _check(release)
    for what in ("name", "codename", "suffix"):
        values = [getattr(release, what) for release in releases]
        if double := {value for value in values if values.count(value) > 1}:
            raise MatrixError(f"{_DATA.name}: two releases have the {what} {', '.join(sorted(double))}")
    return releases


@functools.lru_cache(maxsize=1)
def matrix() -> tuple[Release, ...]:
    """All releases, in the order of the file."""
    return parse(_DATA.read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=1)
def in_development() -> tuple[Release, ...]:
    """Releases to come: built from source and examined, so that what they change is met early; nothing is published for them."""
    return parse(_DATA.read_text(encoding="utf-8"), "in_development")


def known() -> tuple[Release, ...]:
    """The releases that are served, and behind them those in development."""
    return (*matrix(), *in_development())


def by_name(name: str) -> Release:
    """The release of this name or codename, one in development too. Raises MatrixError that lists what is served."""
    for release in known():
        if name in (release.name, release.codename):
            return release
    raise MatrixError(f"RELEASE={name}: no such release; there are {', '.join(release.name for release in matrix())}")


def at_hand() -> list[Release]:
    """The releases of which roots can be made here, those in development too."""
    return [release for release in known() if release.stand_in == release.codename]


def of_family(family: str) -> list[Release]:
    """The releases of one family."""
    return [release for release in matrix() if release.family == family]


def newest_debian() -> Release:
    """Whose debian/control is the committed one."""
    return max(of_family("deb"), key=lambda release: (release.standards, not release.python2, release.name))


_HEADER = (
    "release", "Python 2", "Python 3", "more stacks", "OpenSSL", "glibc", "gcc", "pip (2 / 3)", "tools", "debhelper",
    "packages for", "support ends",
    "proven here",
)  # fmt: skip


#: What stands behind a cell, and what it means.
LEGEND = "* compared here with the release itself; ? not confirmed; the rest as its vendor or a public record of a build tells."


def _row(release: Release) -> list[str]:
    def marked(fact: str, text: str) -> str:
        mark = " ?" if fact in release.unconfirmed else " *" if fact in release.seen else ""
        return text if text == "-" else f"{text}{mark}"

    pythons = {stack.id: stack for stack in release.stacks}
    two, three = pythons.get("python2"), pythons["python3"]
    others = [stack.version for stack in release.stacks if stack.id not in ("python2", "python3")]
    tools = " ".join(f"{name} {number}" for name, number in release.tools.items())
    return [
        release.title,
        marked("pythons", two.release if two else "-"),
        marked("pythons", three.release),
        marked("pythons", " ".join(others) or "-"),
        marked("openssl", release.openssl),
        marked("glibc", release.glibc),
        marked("gcc", release.gcc),
        marked("pip", f"{(two.pip if two else '') or '-'} / {three.pip}"),
        marked("tools", tools),
        marked("debhelper", str(release.debhelper)) if release.debhelper else "-",
        f"{release.codename}: {' '.join(release.architectures)}",
        ", ".join(f"{end} ({plan})" for plan, end in release.support),
        release.proof,
    ]


def rows() -> list[list[str]]:
    """The matrix as text, the header first."""
    return [list(_HEADER), *(_row(release) for release in matrix())]


def columns(names: Sequence[str]) -> list[list[str]]:
    """Some columns of it, by their heads."""
    wanted = [_HEADER.index(name) for name in names]
    return [[line[column] for column in wanted] for line in rows()]


def table() -> str:
    """The matrix in columns, for a terminal."""
    lines = rows()
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def markdown() -> str:
    """The matrix as README.md has it, between its two marks: the columns that a user asks for."""
    wanted = ("release", "Python 2", "Python 3", "more stacks", "packages for", "proven here")
    lines = [" | ".join(line) for line in columns(wanted)]
    lines.insert(1, "|".join(["---"] * len(wanted)))
    table = [f"| {line} |" if "---" not in line else f"|{line}|" for line in lines]
    text = "\n".join([*table, "", LEGEND]).replace("*", "\\*")
    return f"{_BEGIN}\n{text}\n{_END}"


def with_table(readme: str) -> str:
    """README's text with today's table. Raises MatrixError when its two marks are not there."""
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise MatrixError(f"README.md: the lines '{_BEGIN}' and '{_END}' are not there, or not in this order")
    return before + markdown() + after


def main(arguments: Sequence[str]) -> int:
    """Print the matrix, or write README's table."""
    parser = argparse.ArgumentParser(prog="toolkit.releases", description="The release matrix.")
    parser.add_argument("--readme", action="store_true", help="bring README.md's table up to date")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.readme:
            readme = TOP / "README.md"
            readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
            print("README.md: table written from the matrix")
        else:
            print(table())
            print(LEGEND)
            later = ", ".join(release.title for release in in_development())
            print(f"Built from source and examined, but not published: {later}.")
    except MatrixError as error:
        print(f"matrix: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
