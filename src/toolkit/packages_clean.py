# SPDX-License-Identifier: Apache-2.0
"""`make pbuilder`: build a Debian source package from source in a clean root without network, by pbuilder.

    python -m toolkit.packages_clean --release debian-12 --flavour bundled|system

Nothing is prebuilt: the distribution's compiler and flags, its Pythons' headers, and for the bundled flavour OpenSSL
from the component tarball. The packages go to dist/pbuilder/CODENAME-FLAVOUR.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from openssl.errors import BuildError
from toolkit import deps, releases, roots
from toolkit.cache import cached
from toolkit.commands import CLEAN_ENVIRONMENT, CommandError, run
from toolkit.packages import Source
from toolkit.packages_debian import build_source
from toolkit.releases import TOP, MatrixError, Release

WORK = TOP / "build" / "pbuilder"
ENVIRONMENT = {**CLEAN_ENVIRONMENT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
#: An hour: OpenSSL is compiled, perhaps on a busy machine.
_LIMIT = 3600

_CONFIGURATION = """BASETGZ="{base}"
BUILDPLACE="{place}"
BUILDRESULT="{result}"
APTCACHE=""
AUTOCLEANAPTCACHE=yes
CCACHEDIR=""
USENETWORK=no
PBUILDERSATISFYDEPENDSCMD=/usr/lib/pbuilder/pbuilder-satisfydepends-apt
HOOKDIR=""
"""


def root_archive(release: Release, variant: str) -> Path:
    """A clean root of the release as a .tar.gz: mmdebstrap's variant buildd, or apt, which has nothing to build with."""

    def make(target: Path) -> None:
        # With apt's lists: pbuilder asks it for what a build depends on.
        options = ["--mode=root", f"--variant={variant}", "--skip=cleanup/apt", '--aptopt=APT::Sandbox::User "root"']
        log = WORK / f"{variant}-{release.codename}.log"
        words = ["mmdebstrap", *options, *roots.suite_options(release.codename), release.codename, target, roots.mirror()]
        run(words, timeout=_LIMIT, log=log)

    return cached("pbuilder", f"3 {variant} {release.codename} {os.uname().machine}", f"{release.codename}.tar.gz", make)


def build(source: Source, release: Release, flavour: str, result: Path) -> list[Path]:
    """The .deb files, built by pbuilder into ``result`` beside the source package and .changes; CommandError when a step fails."""
    WORK.mkdir(parents=True, exist_ok=True)
    log = WORK / f"{release.codename}-{flavour}.log"
    log.unlink(missing_ok=True)
    place = WORK / f"{release.codename}-{flavour}"
    roots.remove_tree(place)
    (place / "build").mkdir(parents=True)
    dsc, tree = build_source(source, place, release, log, flavour)
    shutil.rmtree(tree)
    roots.remove_tree(result)
    result.mkdir(parents=True)
    configuration = place / "pbuilderrc"
    text = _CONFIGURATION.format(base=root_archive(release, "buildd"), place=place / "build", result=result)
    configuration.write_text(text, encoding="utf-8")
    jobs = ["--debbuildopts", f"-j{os.cpu_count() or 1}"]
    run(["pbuilder", "build", "--configfile", configuration, *jobs, dsc], environment=ENVIRONMENT, log=log, timeout=_LIMIT)
    roots.remove_tree(place)
    return sorted(result.glob("*.deb"))


def chosen(name: str, flavour: str) -> Release:
    """The release that a person names, where it can be built from source here in this flavour; MatrixError where not."""
    release = releases.by_name(name)
    if release.stand_in != release.codename:
        there = " ".join(each.name for each in releases.at_hand())
        raise MatrixError(f"RELEASE={name}: clean roots are at hand for {there} only")
    if flavour not in release.flavours:
        raise MatrixError(f"FLAVOUR={flavour}: {release.title} can have {' and '.join(release.flavours)}")
    return release


def target(release: Release, flavour: str) -> Path:
    """Where `make pbuilder` leaves what it builds."""
    return TOP / "dist" / "pbuilder" / f"{release.codename}-{flavour}"


def prepare() -> None:
    """What both verbs need: root's rights, and the tools. Raises CommandError or BuildError when one is not to be had."""
    if os.geteuid() != 0:
        raise CommandError("it works in roots of its own, which needs root: run it as root")
    deps.main(["--life-cycle"])


def command(verb: str, description: str, act: Callable[[Release, str], int], arguments: Sequence[str]) -> int:
    """The command line of `make VERB`: ``act`` with the release and flavour that it names; 2 with one message when that fails."""
    parser = argparse.ArgumentParser(prog=verb, description=description)
    parser.add_argument("--release", required=True, help="of make matrix, one that is Debian's, or debian-sid")
    parser.add_argument("--flavour", default="bundled", help="bundled or system")
    options = parser.parse_args(arguments)
    try:
        return act(chosen(options.release, options.flavour), options.flavour)
    except (MatrixError, CommandError, BuildError, OSError, ValueError) as error:
        print(f"{verb}: {error}", file=sys.stderr)
        return 2


def _build(release: Release, flavour: str) -> int:
    prepare()
    for path in build(Source(), release, flavour, target(release, flavour)):
        print(path.relative_to(TOP))
    return 0


def main(arguments: Sequence[str]) -> int:
    """Build one release's packages in one flavour."""
    return command("pbuilder", "Build from source in a clean root.", _build, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
