# SPDX-License-Identifier: Apache-2.0
"""What an administrator meets: the packages in signed repositories, made from the portable binaries.

One way for all: the demo and the tests ask for the few releases that they use, `make repo` for all of them.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openssl import cache
from toolkit import enterprise_root, packages_debian, packages_rpm, releases, releases_packages, repository, roots
from toolkit.commands import CommandError, run
from toolkit.packages import NAME, Source, digest_of, openssl_tarball
from toolkit.releases import Release
from toolkit.signing import Key

#: How many versions of a package stay in each suite.
KEPT = 2

#: Raised by hand when the code below makes other packages from the same input.
_FORMAT = 1

#: The program of each Python in the root that the demo builds RPMs in.
_DEMO_INTERPRETERS = {"3.9": "/usr/bin/python3.9", "2.7": "/usr/bin/python2.7"}

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """Packages of one release that are asked for."""

    release: Release
    machines: tuple[str, ...]
    #: Whether its source package is asked for too.
    sources: bool = False
    #: Versions of the Pythons that are served; empty for all. A release without the others is for tests only.
    versions: tuple[str, ...] = ()

    @property
    def architectures(self) -> tuple[str, ...]:
        """The machines as this release calls them."""
        if self.release.family == "rpm":
            return self.machines
        return tuple(name for name in self.release.architectures if packages_debian.machine_of(name) in self.machines)

    def interpreters(self) -> Mapping[str, str]:
        """Version -> program in the root that its RPMs are built in."""
        if self.versions:
            return {version: _DEMO_INTERPRETERS[version] for version in self.versions}
        return {version: enterprise_root.program(version) for version in enterprise_root.VERSIONS}


def native() -> str:
    """What uname calls this machine."""
    return os.uname().machine


#: What the demo and the first package tests install: the real releases among the roots, and of Enterprise Linux the
#: stacks whose Pythons their RPM root has (9's Python 3.9; the newest 2.7 is 8's).
DEMO = (
    Wanted(releases.by_name("bullseye"), (native(),)),
    Wanted(releases.by_name("trixie"), (native(),)),
    Wanted(releases.by_name("el9"), (native(),), versions=("3.9",)),
    Wanted(releases.by_name("el8"), (native(),), versions=("2.7",)),
)


def everything() -> tuple[Wanted, ...]:
    """All releases, all machines, with source packages."""
    machines = tuple(releases.of_family("rpm")[0].architectures)
    return tuple(Wanted(release, machines, sources=True) for release in releases.matrix())


def portable_tree() -> Path:
    """The portable binaries of this machine's architecture, as ``make portable`` leaves them."""
    return Source().portable(native())


@contextlib.contextmanager
def timed(tell: Tell, what: str) -> Iterator[None]:
    """Tell what was done and how long it took, when the block ends well."""
    start = time.monotonic()
    yield
    tell(f"{what} ({time.monotonic() - start:.1f} s)")


def prepare_roots(recipes: Sequence[roots.Recipe], work: Path, tell: Tell) -> None:
    """Make the roots that are not in the cache yet, as many at a time as there are processors."""

    def prepare(recipe: roots.Recipe) -> None:
        with timed(tell, f"root {recipe.name}"):
            roots.prepared(recipe, work / f"root-{recipe.name}.log")

    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        for _ in pool.map(prepare, recipes):
            pass


def _key(source: Source, wanted: Wanted) -> str:
    binaries = []
    for machine in wanted.machines:
        tree = source.portable(machine)
        if not (tree / "py3").is_dir():
            raise CommandError(f"{tree} is not there: run make portable ARCH={machine} first")
        binaries += [(f"{machine}/{path.relative_to(tree)}", path) for path in sorted(tree.rglob("*.so")) if path.is_file()]
    tools = run(["dpkg-query", "--show", "dpkg-dev", "debhelper", "dh-python"], errors_apart=True).output
    where = enterprise_root.recipe().key() if wanted.release.family == "rpm" and not wanted.versions else ""
    return cache.key_of(
        repr(_FORMAT), source.digest(wanted.sources), digest_of(binaries), wanted.release.substance,
        repr((wanted.machines, wanted.sources, wanted.versions)), tools, where,
    )  # fmt: skip


class _Builders:
    """One root per kind for all RPM builds of a run, made when the first one needs it."""

    def __init__(self, source: Source, work: Path) -> None:
        self._source = source
        self._work = work
        self._lock = threading.Lock()
        self._made: dict[str, roots.Root] = {}

    def root(self, wanted: Wanted) -> roots.Root:
        recipe = roots.RPM if wanted.versions else enterprise_root.recipe()
        with self._lock:
            if recipe.name not in self._made:
                log = self._work / f"rpmbuild-{recipe.name}.log"
                log.unlink(missing_ok=True)
                root = roots.unpack(recipe, self._work / "roots" / f"build-{recipe.name}", log)
                self._made[recipe.name] = root
                packages_rpm.lay_out(root, self._source, self._work / "rpm-sources")
            return self._made[recipe.name]

    def remove(self) -> None:
        for root in self._made.values():
            root.remove()


def _build_debs(source: Source, wanted: Wanted, work: Path, target: Path) -> None:
    log = work / f"build-{wanted.release.codename}.log"
    log.unlink(missing_ok=True)
    place = work / "deb" / wanted.release.codename
    roots.remove_tree(place)
    made = packages_debian.build_binaries(source, place, wanted.release, wanted.architectures, log)
    if wanted.sources:
        (place / "source").mkdir()
        packages_debian.build_source(source, place / "source", wanted.release, log)
        # OpenSSL's tarball is the same for all: it is linked in when the repository is put together.
        made += [path for path in (place / "source").iterdir() if repository.is_source(path) and "orig-openssl" not in path.name]
    for path in made:
        shutil.move(path, target / path.name)
    roots.remove_tree(place)


def _build_rpms(source: Source, wanted: Wanted, root: roots.Root, target: Path) -> None:
    for machine in wanted.machines:
        packages_rpm.build(root, source, target / machine, wanted.release, machine, wanted.interpreters())
    if wanted.sources:
        packages_rpm.build_source(root, target / repository.SOURCE, wanted.release)


def build_packages(
    wanted: Sequence[Wanted], work: Path, tell: Tell, source: Source | None = None
) -> dict[Release, Path]:
    """Directories with each release's packages; built when sources or binaries changed since the last time.

    A deb release's directory holds the files, an rpm release's one directory per
    machine. They lie in the cache: do not change them. Logs go to ``work``. Raises
    CommandError when binaries or tools are missing or a build fails.
    """
    source = source or Source()
    builders = _Builders(source, work)

    def build(item: Wanted) -> tuple[Release, Path]:
        def make(directory: str) -> None:
            with timed(tell, f"{item.release.title} for {' '.join(item.architectures)}"):
                if item.release.family == "deb":
                    _build_debs(source, item, work, Path(directory))
                else:
                    _build_rpms(source, item, builders.root(item), Path(directory))

        return item.release, Path(cache.entry("packages", _key(source, item), make))

    # Those that take longest first.
    order = sorted(wanted, key=lambda item: -len(item.release.stacks))
    try:
        with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
            made = dict(pool.map(build, order))
    finally:
        builders.remove()
    return {item.release: made[item.release] for item in wanted}


def version_of(path: Path) -> str:
    """The upstream version in a package's file name; empty for another file."""
    found = re.match(r"[a-z0-9.-]+?[-_](\d+(?:\.\d+)+)(?:-\d|\.orig)", path.name)
    return found[1] if found else ""


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def newest_version(paths: Iterable[Path]) -> str:
    """The newest upstream version among package files; ValueError when none is a package's."""
    return max({version_of(path) for path in paths} - {""}, key=_order)


def _keep_older(old: Path, new: Path, current: str) -> None:
    """Link the newest earlier versions of a directory into its successor."""
    if not old.is_dir():
        return
    there = {version_of(path) for path in old.iterdir()} - {"", current}
    kept = sorted((version for version in there if _order(version) < _order(current)), key=_order)[1 - KEPT :]
    for path in old.iterdir():
        if version_of(path) in kept and not (new / path.name).exists():
            packages_debian.link_or_copy(path, new / path.name)


def _parts(release: Release) -> tuple[str, ...]:
    """Where all of a release lies, below the served directory."""
    if release.family == "rpm":
        return (f"{repository.YUM}/{release.codename}",)
    return (f"{repository.APT}/{repository.pool(release)}", f"{repository.APT}/dists/{release.codename}")


def _link_tree(old: Path, new: Path) -> None:
    for path in sorted(old.rglob("*")):
        if path.is_file():
            target = new / path.relative_to(old)
            target.parent.mkdir(parents=True, exist_ok=True)
            packages_debian.link_or_copy(path, target)


@dataclass
class Publication:
    """A set of repositories that is being put together in a directory of its own."""

    target: Path
    #: What was published before; its newest versions stay.
    previous: Path
    source: Source
    url: str
    key: Key
    work: Path
    log: Path
    releases: list[Release] = field(default_factory=list)

    def add_debs(self, release: Release, built: Path, architectures: Sequence[str]) -> None:
        """One suite: its packages, the keyring, what stays of earlier versions, the signed indexes."""
        apt = self.target / repository.APT
        place = apt / repository.pool(release)
        place.mkdir(parents=True)
        for path in built.iterdir():
            packages_debian.link_or_copy(path, place / path.name)
        if any(place.glob("*.dsc")):
            component = place / f"{NAME}_{self.source.version}.orig-openssl.tar.gz"
            packages_debian.link_or_copy(openssl_tarball(), component)
        where = f"{self.url}/{repository.APT}"
        releases_packages.keyring(self.source, release, where, self.key, self.work, place, self.log)
        _keep_older(self.previous / repository.APT / repository.pool(release), place, self.source.version)
        repository.index_suite(apt, release, architectures, self.key, self.log)
        self.releases.append(release)

    def add_rpms(self, release: Release, built: Path) -> None:
        """One release's directories, one per machine and one of sources: signed packages, signed metadata."""
        where = f"{self.url}/{repository.YUM}"
        own = releases_packages.release_package(self.source, release, where, self.key, self.work, self.log)
        for directory in sorted(built.iterdir()):
            part = repository.yum_part(release, directory.name)
            place = self.target / part
            place.mkdir(parents=True)
            of_source = directory.name == repository.SOURCE
            origins = [*directory.iterdir(), *(path for path in own if path.name.endswith(".src.rpm") == of_source)]
            # Copies: signing changes them.
            self.key.sign_rpms([Path(shutil.copy2(path, place)) for path in origins])
            _keep_older(self.previous / part, place, self.source.version)
            repository.index_yum(place, self.key, self.log)
        self.releases.append(release)

    def keep_others(self) -> None:
        """Take over, as they are, the releases that were published before and are not made anew this time."""
        for release in releases.matrix():
            parts = _parts(release)
            if release not in self.releases and all((self.previous / part).is_dir() for part in parts):
                for part in parts:
                    _link_tree(self.previous / part, self.target / part)
                self.releases.append(release)
        # A test may publish for one in development too.
        self.releases.sort(key=releases.known().index)

    def finish(self) -> None:
        """The public key, where the managers' definitions look for it. Raises CommandError where what stays has another."""
        made = len(self.releases)
        self.keep_others()
        keys = {f"{repository.APT}/{repository.APT_KEY}": False, f"{repository.YUM}/{repository.YUM_KEY}": True}
        for name, armor in keys.items():
            if (self.target / name).parent.exists():
                self.key.export(self.target / name, armor=armor)
                before = self.previous / name
                if made < len(self.releases) and before.exists() and before.read_bytes() != (self.target / name).read_bytes():
                    raise CommandError(f"{before}: another key has signed the releases that stay; make all anew, without RELEASE=")


def publish(
    built: Mapping[Release, Path],
    target: Path,
    work: Path,
    home: Path,
    tell: Tell,
    *,
    source: Source | None = None,
    finish: Callable[[Publication], None] | None = None,
) -> Path:
    """Signed repositories of these packages as ``target``, by the key in ``home``; returns ``target``.

    What was there before is replaced at once when everything is there; its newest
    earlier version of each package stays, and so do its other releases. ``finish``
    adds to it before.
    """
    source = source or Source()
    log = work / "repositories.log"
    fresh = target.with_name(f".{target.name}.new")
    roots.remove_tree(fresh)
    fresh.mkdir(parents=True)
    scratch = work / "publish"
    roots.remove_tree(scratch)
    with timed(tell, "signed repositories"), Key.open(home, "tls-bootstrap test key", log) as key:
        made = Publication(fresh, target, source, releases_packages.default_url(), key, scratch, log)
        for release, place in built.items():
            if release.family == "deb":
                made.add_debs(release, place, release.architectures)
            else:
                made.add_rpms(release, place)
        made.finish()
        if finish:
            finish(made)
    roots.remove_tree(target)
    fresh.rename(target)
    roots.remove_tree(scratch)
    return target


def home(work: Path) -> Path:
    """The directory with the signing key: KEY_HOME, or one with a test key."""
    return Path(os.environ.get("KEY_HOME") or work / "gnupg")
