# SPDX-License-Identifier: Apache-2.0
"""The gate of reproducible packages: .deb and .rpm made elsewhere, later, in another locale are the same to the byte.

RPMs are compared before they are signed. What tells the machine or the moment in a way that two builds here share (the
host's name, the clock's day) is looked for in their headers.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from openssl.errors import BuildError
from toolkit import packages_debian, packages_rpm, releases, roots
from toolkit.audit.model import NATIVE, RESULTS, Build, Gate, Verdict
from toolkit.commands import CLEAN_ENVIRONMENT, Completed, run
from toolkit.packages import Source
from toolkit.roots import Root

WORK = RESULTS / "packages"
DEBIAN = "debian-12"
ENTERPRISE = "el9"
#: What of EL's interpreters the root for RPMs has.
INTERPRETERS = {"3.9": "/usr/bin/python3.9"}
ELSEWHERE = {"LC_ALL": "C", "LANG": "C", "TZ": "Pacific/Kiritimati", "USER": "somebody", "HOSTNAME": "elsewhere"}
#: Seconds by which the files of the second tree are younger: tools clamp what is younger than the changelog only.
ANOTHER_DAY = 86_400 * 100


class RootElsewhere(Root):
    """A root whose programs run in another locale and time zone."""

    def run(self, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, **options: Any) -> Completed:
        return super().run(arguments, environment={**ELSEWHERE, **(environment or {})}, **options)


def _trees(one: Path, other: Path) -> tuple[Source, Source]:
    """Two copies of the sources and of the portable binaries; the files of the second are dated another day."""
    first = Source().copy(one)
    shutil.copytree(Source().portable(NATIVE), Source(first).portable(NATIVE))
    second = other / first.name
    shutil.copytree(first, second, symlinks=True)
    for path in second.rglob("*"):
        moment = path.lstat().st_mtime + ANOTHER_DAY
        os.utime(path, (moment, moment), follow_symlinks=False)
    return Source(first), Source(second)


def debs(source: Source, place: Path, log: Path) -> list[Path]:
    """The packages as they are published."""
    architecture = packages_debian.native_architecture()
    return packages_debian.build_binaries(source, place, releases.by_name(DEBIAN), [architecture], log)


def debs_elsewhere(source: Source, place: Path, log: Path) -> list[Path]:
    """The same by the same tools in other surroundings."""
    tree = packages_debian.source_tree(source, place, releases.by_name(DEBIAN))
    environment = {**CLEAN_ENVIRONMENT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **ELSEWHERE}
    environment["PREBUILT"] = str(source.portable(NATIVE))
    command = ["dpkg-buildpackage", "--build=binary", "-d", "--unsigned-changes", "--unsigned-buildinfo"]
    run(command, directory=tree, environment=environment, log=log)
    return sorted(place.glob("*.deb"))


def rpms(source: Source, place: Path, log: Path, kind: type[Root]) -> list[Path]:
    """The packages as they are published, before they are signed."""
    root = roots.unpack(roots.RPM, place / "root", log)
    try:
        root = kind(root.path, log)
        packages_rpm.lay_out(root, source, place / "sources")
        return packages_rpm.build(root, source, place / "rpms", releases.by_name(ENTERPRISE), NATIVE, INTERPRETERS)
    finally:
        root.remove()


def compare(here: Sequence[Path], there: Sequence[Path]) -> list[str]:
    """What differs between two sets of packages."""
    names = [{path.name: path for path in paths} for paths in (here, there)]
    found = [f"{name} was made in one place only" for name in sorted(set(names[0]) ^ set(names[1]))]
    for name in sorted(set(names[0]) & set(names[1])):
        one, other = (paths[name].read_bytes() for paths in names)
        if one != other:
            at = next((index for index, pair in enumerate(zip(one, other)) if pair[0] != pair[1]), min(len(one), len(other)))
            found.append(f"{name}: {len(one)} and {len(other)} bytes, the first difference at {at}")
    return found


def told_by_headers(paths: Sequence[Path], source: Source) -> list[str]:
    """What RPMs tell of the machine and the moment."""
    found = []
    moment = int(source.history[0].moment.timestamp())
    for path in paths:
        told = run(["rpm", "-qp", "--nosignature", "--qf", "%{BUILDHOST} %{BUILDTIME}", path], errors_apart=True).output
        host, when = told.split()
        if host == os.uname().nodename:
            found.append(f"{path.name} tells the name of the building host")
        if int(when) > moment + 86400:
            found.append(f"{path.name} tells when it was built: {when}, the change is of {moment}")
    return found


def examine(build: Build) -> Verdict | None:
    """The gate on the packages of the published binaries; they hold both Pythons' files."""
    if build.label != f"portable/{NATIVE}/py3":
        return None
    verdict = Verdict("packages", build.label)
    log = (WORK / "build.log").resolve()
    roots.remove_tree(WORK)
    WORK.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory(prefix="another-place-with-a-longer-name-") as directory:
            first, second = _trees(WORK.resolve() / "tree", Path(directory, "tree"))
            made = [debs(first, WORK.resolve() / "deb", log), rpms(first, WORK.resolve() / "rpm", log, Root)]
            again = [debs_elsewhere(second, Path(directory, "deb"), log)]
            with mock.patch.object(packages_rpm, "_TOP", "/var/tmp/rpmbuild-elsewhere"):
                again.append(rpms(second, Path(directory, "rpm"), log, RootElsewhere))
            for here, there in zip(made, again):
                verdict.findings += compare(here, there)
                verdict.seen += [f"{path.name}: {path.stat().st_size} bytes, made twice" for path in here]
            verdict.findings += told_by_headers(made[1], first)
            if not all(made):
                raise BuildError("no packages were made")
    finally:
        roots.remove_tree(WORK)
    return verdict


def control() -> Verdict:
    """A package that holds the moment of its making."""
    with tempfile.TemporaryDirectory() as directory:
        made = []
        for number in (1, 2):
            tree = Path(directory, str(number), "DEBIAN")
            tree.mkdir(parents=True)
            (tree / "control").write_text(
                f"Package: planted\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: made as number {number}\n"
            )
            target = Path(directory, f"out{number}", "planted.deb")
            target.parent.mkdir()
            run(["dpkg-deb", "--root-owner-group", "--build", tree.parent, target])
            made.append([target])
        return Verdict("packages", "control", compare(*made))


GATE = Gate(
    "packages",
    "the same .deb and .rpm from another folder, time and locale",
    examine,
    control,
    ("planted.deb: ", "the first difference at"),
)
