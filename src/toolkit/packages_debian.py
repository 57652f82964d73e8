# SPDX-License-Identifier: Apache-2.0
"""The Debian packages, by dpkg's own tools: control for a release, source package, binary packages.

``python -m toolkit.packages_debian --release NAME --flavour F`` makes a source package in dist/dsc (`make dsc`).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from openssl.errors import BuildError
from toolkit import releases, roots
from toolkit.commands import CLEAN_ENVIRONMENT, CommandError, run
from toolkit.packages import NAME, Source, debian_changelog, openssl_tarball
from toolkit.releases import TOP, MatrixError, Release

#: The distribution's tools with the distribution's interpreters.
_ENVIRONMENT = {**CLEAN_ENVIRONMENT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
FLAVOURS = ("bundled", "system")
#: debhelper reads its level from Build-Depends since 11.1.5; before that from debian/compat.
_COMPAT_IN_CONTROL = 11
#: From this level on lintian calls fields redundant that say what their absence says too.
_WITH_DEFAULTS = 14
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def machine_of(architecture: str) -> str:
    """What uname calls a Debian architecture."""
    return _MACHINES[architecture]


def native_architecture() -> str:
    """What Debian calls this machine."""
    return next(name for name, machine in _MACHINES.items() if machine == os.uname().machine)


def control(template: str, release: Release, flavour: str = "bundled") -> str:
    """debian/control for one release and flavour from control.in.

    ``@NAME@`` stands for a value. A line ``@IF CONDITION@`` starts what only some have,
    up to ``@ELSE@`` or ``@END@``; the conditions are ``python2``, ``bundled`` and
    ``explicit`` (its tools know no defaults for fields that once had to be there), and they
    may stand inside each other. Raises ValueError for any other line in ``@``.
    """
    explicit = release.debhelper < _WITH_DEFAULTS
    holds = {"python2": release.python2, "bundled": flavour == "bundled", "explicit": explicit}
    wanted = [True]
    lines = []
    for line in template.splitlines():
        if condition := re.fullmatch(r"@IF (\w+)@", line):
            wanted.append(holds[condition[1]])
        elif line == "@ELSE@":
            wanted[-1] = not wanted[-1]
        elif line == "@END@":
            wanted.pop()
        elif all(wanted):
            lines.append(line)
    in_control = release.debhelper >= _COMPAT_IN_CONTROL
    debhelper = f"debhelper-compat (= {release.debhelper})" if in_control else f"debhelper (>= {release.debhelper})"
    text = "\n".join(lines) + "\n"
    text = text.replace("@DEBHELPER@", debhelper).replace("@STANDARDS@", release.standards)
    if left := re.search(r"@\w+@", text):
        raise ValueError(f"debian/control.in: {left[0]} stands for nothing")
    return text


#: What of debian/copyright belongs to the bundled OpenSSL: beginnings of its paragraphs.
_OF_OPENSSL = ("Files: openssl/", "License: Artistic\n", "License: GPL-1+\n")


def copyright_text(text: str, flavour: str) -> str:
    """debian/copyright for a flavour: what is not in the source package has no paragraph."""
    if flavour == "bundled":
        return text
    header, *paragraphs = text.split("\n\n")
    header = header.partition("\nComment:")[0]
    return "\n\n".join([header, *(each for each in paragraphs if not each.startswith(_OF_OPENSSL))])


def source_overrides(text: str, flavour: str) -> str:
    """debian/source/lintian-overrides for a flavour: lintian warns of one for a file that is not in the source package."""
    if flavour == "bundled":
        return text
    kept: list[str] = []
    for line in text.splitlines(keepends=True):
        if "openssl/" not in line:
            kept.append(line)
        else:
            # What stands above it tells its reason.
            while kept and kept[-1].startswith("#"):
                kept.pop()
    return "".join(kept)


def _rewrite(path: Path, form: Callable[[str, str], str], flavour: str) -> None:
    path.write_text(form(path.read_text(encoding="utf-8"), flavour), encoding="utf-8")


def write_control(top: Path) -> Path:
    """Write the committed control, the newest release's; returns its path."""
    target = top / "debian" / "control"
    template = (top / "debian" / "control.in").read_text(encoding="utf-8")
    target.write_text(control(template, releases.newest_debian()), encoding="utf-8")
    return target


def source_tree(source: Source, parent: Path, release: Release, flavour: str = "bundled") -> Path:
    """The tree as it is for one release: control, changelog, compat level and flavour in place."""
    tree = source.copy(parent)
    debian = tree / "debian"
    (debian / "changelog").write_text(debian_changelog(source.history, release.suffix, release.codename), encoding="utf-8")
    template = (debian / "control.in").read_text(encoding="utf-8")
    (debian / "control").write_text(control(template, release, flavour), encoding="utf-8")
    _rewrite(debian / "copyright", copyright_text, flavour)
    _rewrite(debian / "source" / "lintian-overrides", source_overrides, flavour)
    (debian / "flavour").write_text(f"{flavour}\n", encoding="ascii")
    if release.debhelper < _COMPAT_IN_CONTROL:
        (debian / "compat").write_text(f"{release.debhelper}\n", encoding="ascii")
    return tree


def build_source(source: Source, parent: Path, release: Release, log: Path, flavour: str = "bundled") -> tuple[Path, Path]:
    """The source package in ``parent``: (its .dsc, the tree it was made of).

    The upstream archives lie beside it: the tree without debian/, and for the bundled
    flavour OpenSSL's tarball, unchanged, as the component ``openssl``.
    """
    tree = source_tree(source, parent, release, flavour)
    version = source.version
    source.archive(parent / f"{NAME}_{version}.orig.tar.gz", without=("debian",))
    if flavour == "bundled":
        component = parent / f"{NAME}_{version}.orig-openssl.tar.gz"
        link_or_copy(openssl_tarball(), component)
        # dpkg-source compares with what the component unpacks to.
        (tree / "openssl").mkdir()
        run(["tar", "-C", tree / "openssl", "--strip-components=1", "-xzf", component], log=log)
    run(["dpkg-source", "--build", tree.name], directory=parent, environment=_ENVIRONMENT, log=log)
    shutil.rmtree(tree / "openssl", ignore_errors=True)
    return parent / f"{NAME}_{version}-1{release.suffix}.dsc", tree


def build_binaries(
    source: Source, parent: Path, release: Release, architectures: Sequence[str], log: Path
) -> list[Path]:
    """The .deb files with the portable binaries, made by dpkg-buildpackage below ``parent`` (a new directory).

    The first architecture brings the packages for all of them too.
    """
    found: list[Path] = []
    for architecture in architectures:
        place = parent / architecture
        tree = source_tree(source, place, release)
        foreign = architecture != native_architecture()
        environment = {
            **_ENVIRONMENT,
            "PREBUILT": str(source.portable(machine_of(architecture))),
            # What is foreign cannot be run here: make audit has it examined under emulation.
            "DEB_BUILD_OPTIONS": "nocheck" if foreign else "",
            "DEB_BUILD_PROFILES": "nocheck" if foreign else "",
        }
        kind = "binary" if architecture == architectures[0] else "any"
        # -d: the binaries are there already, so what compiling them needs is not asked for.
        run(
            ["dpkg-buildpackage", f"--build={kind}", f"--host-arch={architecture}", "-d", "--unsigned-changes",
             "--unsigned-buildinfo"],
            directory=tree, environment=environment, log=log,
        )  # fmt: skip
        found += sorted(place.glob("*.deb"))
    if not found:
        raise CommandError(f"dpkg-buildpackage left no package; see {log}")
    return found


def link_or_copy(origin: Path, target: Path) -> None:
    """The same file under another name, by a hard link where the file system is the same."""
    target.unlink(missing_ok=True)
    try:
        os.link(origin, target)
    except OSError:
        shutil.copy2(origin, target)


def main(arguments: Sequence[str]) -> int:
    """Make one source package."""
    parser = argparse.ArgumentParser(prog="toolkit.packages_debian", description="Make a Debian source package in dist/dsc.")
    parser.add_argument("--release", required=True)
    parser.add_argument("--flavour", default="bundled")
    chosen = parser.parse_args(arguments)
    try:
        release = releases.by_name(chosen.release or releases.newest_debian().name)
        if release.family != "deb":
            raise MatrixError(f"RELEASE={chosen.release}: has no .dsc; `make rpm RELEASE={chosen.release}` makes its packages")
        if chosen.flavour not in release.flavours:
            raise MatrixError(
                f"FLAVOUR={chosen.flavour}: {release.title} can have {' and '.join(release.flavours)} "
                f"(its OpenSSL is {release.openssl})"
            )
        place = TOP / "dist" / "dsc" / f"{release.codename}-{chosen.flavour}"
        roots.remove_tree(place)
        place.mkdir(parents=True)
        dsc, tree = build_source(Source(), place, release, TOP / "build" / "log" / "make-dsc.log", chosen.flavour)
        shutil.rmtree(tree)
    except (MatrixError, CommandError, BuildError, ValueError) as error:
        print(f"dsc: {error}", file=sys.stderr)
        return 2
    print(dsc.relative_to(TOP))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
