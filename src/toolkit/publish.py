# SPDX-License-Identifier: Apache-2.0
"""`make deb`, `make rpm`, `make repo`: packages of the release matrix from the portable binaries.

    python -m toolkit.publish deb|rpm|repo [--release NAME]

`repo` leaves dist/repo: signed apt suites and yum repositories of all releases and both architectures, with source
packages, bills of materials, checksums and a page. `deb` and `rpm` leave dist/deb and dist/rpm, unsigned.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError
from toolkit import enterprise_root, mounts, published, releases, releases_gate, roots, sbom, site
from toolkit.commands import CommandError, run
from toolkit.packages_debian import link_or_copy
from toolkit.published import Publication, Tell, Wanted
from toolkit.releases import TOP, MatrixError, Release
from toolkit.sbom import sha256

_WORK = TOP / "build" / "publish"
_DIST = TOP / "dist"
REPO = _DIST / "repo"
#: Seconds that the portable binaries of one machine may take, OpenSSL's included.
_COMPILING = 3600


def _progress() -> Tell:
    started = time.monotonic()
    return lambda text: print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)


def _chosen(kind: str, name: str) -> list[Wanted]:
    everything = published.everything()
    if name:
        release = releases.by_name(name)
        if release not in releases.matrix():
            raise MatrixError(f"RELEASE={name}: nothing is published for {release.title}; make pbuilder builds from source for it")
        if kind != "repo" and release.family != kind:
            raise MatrixError(f"RELEASE={name}: {release.title} has no .{kind} packages; make {release.family} makes its own")
        return [item for item in everything if item.release is release]
    return [item for item in everything if kind == "repo" or item.release.family == kind]


def _prepare(wanted: Sequence[Wanted], tell: Tell) -> None:
    for machine in dict.fromkeys(machine for item in wanted for machine in item.machines):
        log = _WORK / f"portable-{machine}.log"
        log.unlink(missing_ok=True)
        with published.timed(tell, f"portable binaries for {machine}"):
            command = [sys.executable, "-m", "toolkit.portable", "--arch", machine]
            run(command, environment=os.environ, directory=TOP, log=log, timeout=_COMPILING)
    if any(item.release.family == "rpm" for item in wanted):
        if os.geteuid() != 0:
            raise CommandError("RPMs are built in a throw-away root, which needs root: run it as root")
        published.prepare_roots([enterprise_root.recipe()], _WORK, tell)


def _lay_out(kind: str, built: dict[Release, Path]) -> None:
    """dist/deb or dist/rpm: one directory per release."""
    for release, origin in built.items():
        place = _DIST / kind / release.codename
        roots.remove_tree(place)
        for path in sorted(origin.rglob("*")):
            if path.is_file():
                target = place / path.relative_to(origin)
                target.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(path, target)
        print(place.relative_to(TOP))


def packages_in(top: Path) -> list[Path]:
    """Every package file below a directory: binary ones, and the .dsc and .src.rpm that stand for source packages."""
    return sorted(path for path in top.rglob("*") if path.suffix in (".deb", ".rpm", ".dsc"))


def _add_bill(package: Path, release: Release, made: Publication) -> None:
    """The bill that was published with this very file, or else a new one; what an earlier version held is not known any more."""
    if sbom.take_over(package, made.previous / "sbom", made.target / "sbom"):
        return
    if published.version_of(package) != made.source.version:
        raise CommandError(f"{package.name}: an earlier version that stays, and {made.previous.name}/sbom has no bill of it")
    sbom.write(package, release, made.source, made.target / "sbom")


def complete(made: Publication) -> None:
    """Add bills, page and checksums; then the gate. Raises CommandError with all that it finds."""
    of_codename = {release.codename: release for release in made.releases}
    for package in packages_in(made.target):
        parts = package.relative_to(made.target).parts
        release = next(of_codename[part] for part in parts if part in of_codename)
        _add_bill(package, release, made)
    text = site.page(made.target, made.releases, made.source.version, made.url)
    (made.target / "index.html").write_text(text.replace("@FINGERPRINT@", made.key.fingerprint), encoding="utf-8")
    files = sorted(path for path in made.target.rglob("*") if path.is_file() and "by-hash" not in path.parts)
    sums = "".join(f"{sha256(path)}  {path.relative_to(made.target)}\n" for path in files)
    (made.target / "SHA256SUMS").write_text(sums, encoding="utf-8")
    made.key.sign_detached(made.target / "SHA256SUMS", made.target / "SHA256SUMS.asc")
    found = releases_gate.findings(made.target, made.releases)
    for release in made.releases:
        found += releases_gate.lost(release, made.previous, made.target, published.KEPT)
    if found:
        raise CommandError("the gate refuses to publish:\n" + "\n".join(f"  {line}" for line in found))


def _repository(wanted: Sequence[Wanted], tell: Tell) -> None:
    built = published.build_packages(wanted, _WORK, tell)
    home = Path(os.environ.get("KEY_HOME") or Path(cache.root(), "test-key"))
    if not os.environ.get("KEY_HOME"):
        tell(f"signing with the test key in {home} (KEY_HOME=DIR names a GnuPG home with yours)")
    published.publish(built, REPO, _WORK, home, tell, finish=complete)
    for item in wanted:
        tell(f"{item.release.title}: versions {', '.join(sorted(releases_gate.listed_versions(item.release, REPO)))}")
    size = sum(path.stat().st_size for path in REPO.rglob("*") if path.is_file())
    tell(f"{REPO.relative_to(TOP)}: {len(packages_in(REPO))} packages, {size / 1e6:.0f} MB")


def main(arguments: Sequence[str]) -> int:
    """Make what is asked for; 0 when all of it is there, 2 with one message when not."""
    parser = argparse.ArgumentParser(prog="toolkit.publish", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=["deb", "rpm", "repo"])
    parser.add_argument("--release", default="", help="only this one (make matrix lists them)")
    chosen = parser.parse_args(arguments)
    tell = _progress()
    try:
        wanted = _chosen(chosen.kind, chosen.release)
        mounts.separate()
        _WORK.mkdir(parents=True, exist_ok=True)
        with cache.locked(str(_WORK / ".lock"), str(_WORK.relative_to(TOP))):
            _prepare(wanted, tell)
            if chosen.kind == "repo":
                _repository(wanted, tell)
            else:
                _lay_out(chosen.kind, published.build_packages(wanted, _WORK, tell))
    except (CommandError, BuildError, MatrixError, OSError, ValueError, enterprise_root.MissingInterpreters) as error:
        print(f"make {chosen.kind}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
