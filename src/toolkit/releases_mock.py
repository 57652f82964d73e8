# SPDX-License-Identifier: Apache-2.0
"""mock: its configurations from the release matrix, and a build of the source package in each.

``python -m toolkit.releases_mock RELEASE [--arch A]`` (`make mock-el9`); ``--write`` writes rpm/mock anew. mock runs where
Fedora or Enterprise Linux is the host; elsewhere this says so. The bases are the rebuilds that mock's own templates name.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from toolkit import releases
from toolkit.releases import TOP, MatrixError, Release

DIRECTORY = TOP / "rpm" / "mock"
#: The templates of mock-core-configs that stand for each release, beside EPEL's.
_BASES = {"el7": "eol/templates/centos-7.tpl", "el8": "templates/almalinux-8.tpl", "el9": "templates/almalinux-9.tpl",
          "el10": "templates/almalinux-10.tpl"}  # fmt: skip
_ADVICE = """mock-{codename}: mock is not installed. It is in Fedora and in EPEL, not in Debian and not on the package index:
  on such a machine: dnf install mock mock-core-configs; usermod -a -G mock USER
  then: make mock-{codename}    (or by hand: mock -r rpm/mock/{name}.cfg --rebuild SRPM)
Here, `make rpm RELEASE={codename}` makes that source package, and the RPMs from the portable binaries."""


def name(release: Release, machine: str) -> str:
    """A configuration's name."""
    return f"tls-bootstrap-{release.codename}-{machine}"


def configuration(release: Release, machine: str) -> str:
    """A configuration's text."""
    epel = "eol/templates/epel-7.tpl" if release.codename == "el7" else f"templates/epel-{release.number}.tpl"
    lines = [
        "# SPDX-License-Identifier: Apache-2.0",
        f"# {release.title} for {machine}, by a rebuild of it. `make control` writes this from src/toolkit/releases.json.",
        f"include('{_BASES[release.codename]}')",
        f"include('{epel}')",
        "",
        f"config_opts['root'] = '{name(release, machine)}'",
        f"config_opts['target_arch'] = '{machine}'",
        f"config_opts['legal_host_arches'] = ('{machine}',)",
        "# The build needs nothing but its BuildRequires.",
        "config_opts['rpmbuild_networking'] = False",
    ]
    if any(stack.major == 2 for stack in release.stacks) and release.codename == "el8":
        lines += [
            "# RHEL 8's macros refuse Python 2 unless it is asked for.",
            "config_opts['environment']['RHEL_ALLOW_PYTHON2_FOR_BUILD'] = '1'",
            "config_opts['module_enable'] = ['python27', 'python38', 'python39']",
        ]
    return "\n".join(lines) + "\n"


def files() -> dict[Path, str]:
    """Every configuration's path and text."""
    wanted = [(release, machine) for release in releases.of_family("rpm") for machine in release.architectures]
    return {DIRECTORY / f"{name(release, machine)}.cfg": configuration(release, machine) for release, machine in wanted}


def write() -> list[Path]:
    """Bring rpm/mock up to date; returns the paths."""
    DIRECTORY.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
    return sorted(files())


def main(arguments: Sequence[str]) -> int:
    """Rebuild the source package in mock; 3 when there is no mock."""
    parser = argparse.ArgumentParser(prog="toolkit.releases_mock", description="Build the source package with mock.")
    parser.add_argument("release")
    parser.add_argument("--arch", default=os.uname().machine)
    chosen = parser.parse_args(arguments)
    try:
        release = releases.by_name(chosen.release)
        path = DIRECTORY / f"{name(release, chosen.arch)}.cfg"
        if path not in files():
            raise MatrixError(f"ARCH={chosen.arch}: {release.title} is served for {' and '.join(release.architectures)}")
        if not shutil.which("mock"):
            print(_ADVICE.format(codename=release.codename, name=path.stem), file=sys.stderr)
            return 3
        sources = sorted((TOP / "dist" / "rpm" / release.codename / "source").glob("tls-bootstrap-[0-9]*.src.rpm"))
        if not sources:
            raise MatrixError(f"dist/rpm/{release.codename}/source has no .src.rpm: run make rpm RELEASE={release.name} first")
    except MatrixError as error:
        print(f"mock: {error}", file=sys.stderr)
        return 2
    return subprocess.run(["mock", "-r", str(path), "--rebuild", str(sources[-1])], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
