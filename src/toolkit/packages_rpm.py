# SPDX-License-Identifier: Apache-2.0
"""The RPM packages, by rpmbuild in a throw-away root: the spec for a release, source and binary packages."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit import releases
from toolkit.commands import CommandError
from toolkit.packages import NAME, Source, openssl_tarball, rpm_changelog
from toolkit.packages_debian import link_or_copy
from toolkit.releases import Release, Stack
from toolkit.roots import Root

SPEC = "tls-bootstrap.spec"
_BEGIN = re.compile(r"^# BEGIN release matrix: .*\n", re.MULTILINE)
_END = "# END release matrix\n"
_TOP = "/rpmbuild"
#: Nothing of the machine or the moment in a package; a build in a release's own builder follows its vendor's macros.
REPRODUCIBLE = (
    "--define", "_buildhost tls-bootstrap", "--define", "use_source_date_epoch_as_buildtime 1",
    "--define", "clamp_mtime_to_source_date_epoch 1",
)  # fmt: skip
#: Builds of several releases share a root and its copy of the binaries.
_copying = threading.Lock()


def _order(stack: Stack) -> tuple[int, int]:
    return stack.major, int(stack.version.split(".")[1])


def matrix_macros() -> str:
    """The spec's part from the release matrix: each release's stacks, and what goes through them."""
    lines = []
    programs: dict[str, Stack] = {}
    for release in releases.of_family("rpm"):
        lines += [f"%if 0%{{?rhel}} == {release.number}", "%global known_release 1"]
        lines.append(f"%global command_python {release.command_python}")
        for stack in release.stacks:
            name = stack.macro
            programs.setdefault(name, stack)
            lines.append(f"%{{!?{name}_program: %global {name}_program {stack.program}}}")
            words = f"{stack.id} {stack.version} {name} %{{{name}_program}} {stack.devel} {stack.pip_package}"
            lines.append(f"%{{!?_without_{name}: %global stack_{name} {words}}}")
        lines.append("%endif")
    lines.append("%define each_stack() \\")
    for name in sorted(programs, key=lambda name: (name != "python2", name != "python3", _order(programs[name]))):
        lines.append(f"%{{?stack_{name}:%{{expand:%%{{%{{1}} %{{stack_{name}}}}}}}}}\\")
    return "\n".join([*lines, "%{nil}"]) + "\n"


def with_matrix(spec: str) -> str:
    """The spec's text with today's matrix between its two marks. Raises ValueError when they are missing."""
    begin = _BEGIN.search(spec)
    if not begin or _END not in spec[begin.end() :]:
        raise ValueError(f"rpm/{SPEC}: the lines '# BEGIN release matrix: …' and '{_END.strip()}' are not there")
    return spec[: begin.end()] + matrix_macros() + spec[spec.index(_END, begin.end()) :]


def write_matrix(top: Path) -> Path:
    """Bring the committed spec up to date; returns its path."""
    path = top / "rpm" / SPEC
    path.write_text(with_matrix(path.read_text(encoding="utf-8")), encoding="utf-8")
    return path


def spec_text(source: Source) -> str:
    """The spec with the version numbers and the changelog of a source tree."""
    text = (source.top / "rpm" / SPEC).read_text(encoding="utf-8")
    numbers = {"upstream_version": source.version, "openssl_version": source.openssl_version}
    for name, value in numbers.items():
        text, found = re.subn(rf"^%global {name} .*$", f"%global {name} {value}", text, flags=re.MULTILINE)
        if found != 1:
            raise ValueError(f"rpm/{SPEC}: expected one line '%global {name} …', found {found}")
    return text.rstrip("\n") + "\n" + rpm_changelog(source.history)


def defines(release: Release, interpreters: Mapping[str, str]) -> list[str]:
    """rpmbuild's options that make a machine's own rpm build for a release.

    ``interpreters`` are those of the machine: version -> program. A stack whose version
    is not among them is left out, and must then be none that the caller wants.
    """
    macros = {"dist": release.suffix, "rhel": release.number, "_libdir": "/usr/lib64", "set_build_flags": "%{nil}"}
    words = []
    for stack in release.stacks:
        if stack.version in interpreters:
            macros[f"{stack.macro}_program"] = interpreters[stack.version]
        else:
            words += [f"--without={stack.macro}"]
    for name, value in macros.items():
        words += ["--define", f"{name} {value}"]
    return words


def lay_out(root: Root, source: Source, work: Path) -> None:
    """Put spec and sources where rpmbuild looks for them in ``root``, once for all releases."""
    top = root.make_directory(_TOP)
    # All that rpmbuild would make itself: two that run at once get in each other's way there.
    for name in ("BUILD", "BUILDROOT", "RPMS", "SOURCES", "SPECS", "SRPMS"):
        (top / name).mkdir()
    work.mkdir(parents=True, exist_ok=True)
    archive = source.archive(work / f"{NAME}-{source.version}.tar.gz")
    shutil.move(archive, top / "SOURCES" / archive.name)
    link_or_copy(openssl_tarball(), top / "SOURCES" / f"openssl-{source.openssl_version}.tar.gz")
    (top / "SPECS" / SPEC).write_text(spec_text(source), encoding="utf-8")


def _prebuilt(machine: str) -> str:
    return f"{_TOP}/prebuilt-{machine}"


def _add_binaries(root: Root, source: Source, machine: str) -> None:
    """Put the portable binaries for a machine into ``root``, once."""
    target = root.path / _prebuilt(machine).lstrip("/")
    with _copying:
        if not target.exists():
            shutil.copytree(source.portable(machine), target)


def build(
    root: Root,
    source: Source,
    work: Path,
    release: Release,
    machine: str,
    interpreters: Mapping[str, str],
) -> list[Path]:
    """The .rpm files of one release and machine with the portable binaries, copied into ``work``.

    ``root`` was given the sources by lay_out. Raises CommandError when there is nothing to show.
    """
    _add_binaries(root, source, machine)
    place = f"{_TOP}/{release.codename}-{machine}"
    root.run(
        [
            "rpmbuild", "-bb", "--nodeps", "--target", machine,
            # What is foreign cannot be run here: make audit has it examined under emulation.
            *([] if machine == root_machine() else ["--nocheck"]),
            "--define", f"_topdir {_TOP}", "--define", f"_builddir {place}/BUILD", "--define", f"_buildrootdir {place}/ROOT",
            "--define", f"_rpmdir {place}/RPMS", *defines(release, interpreters), *REPRODUCIBLE,
            f"{_TOP}/SPECS/{SPEC}",
        ],
        environment={"PREBUILT": _prebuilt(machine), "SOURCE_DATE_EPOCH": str(int(source.history[0].moment.timestamp()))},
        network=False,
    )  # fmt: skip
    return _collect(root, place, work, f"{release.title} {machine}")


def build_source(root: Root, work: Path, release: Release) -> Path:
    """The .src.rpm of one release, made from what lay_out put into ``root``; copied into ``work``."""
    place = f"{_TOP}/{release.codename}-source"
    every = {stack.version: stack.program for stack in release.stacks}
    root.run([
        "rpmbuild", "-bs", "--nodeps", "--define", f"_topdir {_TOP}", "--define", f"_srcrpmdir {place}",
        *defines(release, every), f"{_TOP}/SPECS/{SPEC}",
    ])  # fmt: skip
    return _collect(root, place, work, f"{release.title} source")[0]


def root_machine() -> str:
    """What uname calls the machine that the roots are of."""
    return os.uname().machine


def _collect(root: Root, place: str, work: Path, what: str) -> list[Path]:
    work.mkdir(parents=True, exist_ok=True)
    made: Sequence[Path] = sorted((root.path / place.lstrip("/")).rglob("*.rpm"))
    if not made:
        raise CommandError(f"rpmbuild left no package for {what}; see {root.log}")
    copies = [Path(shutil.copy2(package, work)) for package in made]
    shutil.rmtree(root.path / place.lstrip("/"))
    return copies
