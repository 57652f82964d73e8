# SPDX-License-Identifier: Apache-2.0
"""`make debian-checks`: what a Debian reviewer runs, by that release's own tools, on what `make pbuilder` built.

    python -m toolkit.debian_checks --release debian-12 --flavour bundled|system

* lintian of the release, in a root of it: on the source package and every binary package;
* autopkgtest: debian/tests against the packages, each test in a fresh root, as an ordinary user where it may be;
* piuparts: install and purge in a clean root, and the upgrade from an earlier version where a repository has one.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from toolkit import mounts, packages_clean, repository, roots
from toolkit.commands import CommandError, run
from toolkit.packages import Source
from toolkit.packages_debian import source_tree
from toolkit.publish import REPO
from toolkit.releases import TOP, Release

WORK = TOP / "build" / "debian-checks"
#: Seconds for one tool: a source package with OpenSSL in it is much to read.
_LIMIT = 1800
_UNPASSED = re.compile(r"^(\S+) +(?!PASS)([A-Z]+.*)$", re.MULTILINE)


#: What others' packages leave that come with ours, as dependencies, into a root without them: debconf's, tzdata's.
_OF_OTHERS = ("/var/cache/debconf/tmp.ci/", "/etc/timezone")


class Refused(RuntimeError):
    """A tool had something to say; the text is its."""


def testbed(release: Release) -> roots.Recipe:
    """A root with the release's lintian, and with what autopkgtest asks of one (apt-utils, the tests' dependencies)."""
    wanted = ("lintian", "apt-utils", "python3", "python3-pip", "ca-certificates", "passwd")
    return roots.Recipe(f"checks-{release.codename}", release.codename, wanted, arguments=roots.suite_options(release.codename))


def _root(release: Release, what: str, log: Path) -> roots.Root:
    return roots.unpack(testbed(release), WORK / "roots" / f"{release.codename}-{what}", log)


def lintian(release: Release, files: Sequence[Path], log: Path) -> str:
    """What the release's own lintian says of these files: of their .changes, or of each; Refused for a warning."""
    root = _root(release, "lintian", log)
    try:
        place = root.make_directory("/tmp/lintian")
        for path in files:
            shutil.copy2(path, place)
        named = [path for path in files if path.suffix == ".changes"] or files
        words = ["lintian", "--allow-root", "--pedantic", "--fail-on", "warning", "--tag-display-limit", "0"]
        words += [f"/tmp/lintian/{path.name}" for path in named]
        done = root.run(words, timeout=_LIMIT, check=False)
    finally:
        root.remove()
    # Pedantic tags do not change the status; they are to be explained like the others.
    if done.status or re.search(r"^[EWP]: ", done.output, re.MULTILINE):
        raise Refused(f"lintian of {release.title}:\n{done.output}")
    return done.output


def autopkgtest(release: Release, tree: Path, packages: Sequence[Path], log: Path) -> dict[str, str]:
    """Result of each of a source tree's debian/tests with these packages; Refused when one does not pass or is skipped."""
    control = (tree / "debian" / "tests" / "control").read_text(encoding="utf-8")
    results = {}
    for name in re.findall(r"^Tests: (\S+)$", control, re.MULTILINE):
        root = _root(release, f"autopkgtest-{name}", log)
        summary = WORK / f"{release.codename}-{name}.summary"
        summary.unlink(missing_ok=True)
        enter = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        try:
            # breaks-testbed: this one is thrown away.
            words = ["autopkgtest", "--no-built-binaries", f"--test-name={name}", "--ignore-restrictions=breaks-testbed",
                     f"--user={roots.USER}", f"--summary={summary}", *packages, tree, "--", "chroot", root.path]  # fmt: skip
            run([*enter, f"--mount-proc={root.path}/proc", "--", *words], log=log, timeout=_LIMIT, check=False)
        finally:
            root.remove()
        text = summary.read_text(encoding="utf-8") if summary.exists() else ""
        results[name] = text.strip() or "no result"
        if _UNPASSED.search(text) or not re.search(rf"^{name} +PASS", text, re.MULTILINE):
            raise Refused(f"autopkgtest {name} on {release.title}: {results[name]}; see {log}")
    return results


def _clean_root(release: Release) -> Path:
    return packages_clean.root_archive(release, "apt")


def piuparts(release: Release, packages: Sequence[Path], repositories: str, log: Path) -> list[str]:
    """The PASS lines of piuparts on these packages together; Refused when it fails.

    ``repositories`` is the address of apt repositories that hold an earlier version for the upgrade, or empty.
    """
    place = WORK / f"{release.codename}-piuparts"
    roots.remove_tree(place)
    place.mkdir(parents=True)
    words = ["piuparts", "--basetgz", _clean_root(release), "--distribution", release.codename, "--tmpdir", place,
             "--mirror", f"{roots.mirror()} main", "--no-check-valid-until", "--no-eatmydata", "--log-level", "info",
             *(word for path in _OF_OTHERS for word in ("--ignore", path))]  # fmt: skip
    if repositories:
        # A root from an archive has no /etc/hosts.
        where = repositories.replace("//localhost:", "//127.0.0.1:")
        words += ["--extra-repo", f"deb [trusted=yes] {where}/{repository.APT} {release.codename} main"]
    try:
        done = run([*words, *packages], environment=packages_clean.ENVIRONMENT, log=log, timeout=_LIMIT, check=False)
    finally:
        roots.remove_tree(place)
    if done.status:
        # What it says of each file stands in the lines behind.
        _, _, said = done.output.partition("ERROR: ")
        raise Refused(f"piuparts on {release.title}, see {log}:\n" + "\n".join(said.splitlines()[:20]))
    passed = re.findall(r"PASS: .*", done.output)
    if repositories and not any("upgrade" in line for line in passed):
        raise Refused(f"piuparts on {release.title} tried no upgrade; see {log}")
    return passed


def binaries(directory: Path) -> list[Path]:
    """The packages of a directory that are installed, so without the debugging symbols."""
    return sorted(path for path in directory.glob("*.deb") if "-dbgsym_" not in path.name)


def _look_at(release: Release, flavour: str, built: Path) -> None:
    log = WORK / f"{release.codename}-{flavour}.log"
    log.unlink(missing_ok=True)
    lintian(release, sorted(path for path in built.iterdir() if path.is_file()), log)
    print(f"ok   lintian of {release.title}", flush=True)
    place = WORK / f"{release.codename}-tree"
    roots.remove_tree(place)
    tree = source_tree(Source(), place, release, flavour)
    for name in autopkgtest(release, tree, binaries(built), log):
        print(f"ok   autopkgtest {name}", flush=True)
    earlier = REPO / repository.APT / "dists" / release.codename
    if earlier.is_dir():
        with repository.served(REPO) as url:
            passed = piuparts(release, binaries(built), url, log)
    else:
        print(f"{earlier.relative_to(TOP)} is not there (make repo makes it): no upgrade is tried", flush=True)
        passed = piuparts(release, binaries(built), "", log)
    for line in passed:
        print(f"ok   piuparts: {line}", flush=True)


def _all(release: Release, flavour: str) -> int:
    built = packages_clean.target(release, flavour)
    if not any(built.glob("*.changes")):
        again = f"make pbuilder RELEASE={release.name} FLAVOUR={flavour}"
        raise CommandError(f"{built.relative_to(TOP)} holds nothing that was built: run {again} first")
    packages_clean.prepare()
    mounts.separate()
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        _look_at(release, flavour, built)
    except Refused as error:
        print(f"FAIL {error}", file=sys.stderr)
        return 1
    return 0


def main(arguments: Sequence[str]) -> int:
    """All three on one release's packages of one flavour; 1 when one of them refuses."""
    return packages_clean.command("debian-checks", "lintian, autopkgtest and piuparts.", _all, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
