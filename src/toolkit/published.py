# SPDX-License-Identifier: Apache-2.0
"""What an administrator meets: the packages in signed repositories, made from the portable binaries."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from toolkit import packages, repository, roots
from toolkit.cache import cached
from toolkit.commands import run
from toolkit.packages import TOP
from toolkit.signing import Key

#: Where the repositories lie below the served directory.
APT = "apt"
YUM = "yum/el9/x86_64"

CODENAMES = ("bullseye", "trixie")

_Tell = Callable[[str], None]


def portable_tree() -> Path:
    """The portable binaries of this machine's architecture, as ``make portable`` leaves them."""
    return TOP / "build" / "portable" / os.uname().machine


@contextlib.contextmanager
def _timed(tell: _Tell, what: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    tell(f"{what} ({time.monotonic() - start:.1f} s)")


def prepare_roots(recipes: Sequence[roots.Recipe], work: Path, tell: _Tell) -> None:
    """Make the roots that are not in the cache yet, as many at a time as there are processors."""

    def prepare(recipe: roots.Recipe) -> None:
        with _timed(tell, f"root {recipe.name}"):
            roots.prepared(recipe, work / f"root-{recipe.name}.log")

    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        for _ in pool.map(prepare, recipes):
            pass


def _build(work: Path, archive: Path, tell: _Tell) -> None:
    for name in ("deb", "rpm"):
        roots.remove_tree(work / name)

    def debs() -> list[Path]:
        with _timed(tell, "dpkg-buildpackage"):
            return packages.build_debs(work / "deb", portable_tree(), CODENAMES[0], work / "dpkg-buildpackage.log")

    def rpms() -> list[Path]:
        log = work / "rpmbuild.log"
        log.unlink(missing_ok=True)
        builder = roots.unpack(roots.RPM, work / "roots" / "rpmbuild", log)
        with _timed(tell, "rpmbuild"):
            try:
                return packages.build_rpms(builder, work / "rpm", portable_tree(), packages.EL9)
            finally:
                builder.remove()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        parts = [pool.submit(debs), pool.submit(rpms)]
        files = [path for part in parts for path in part.result()]
    run(["tar", "-cf", archive, *(word for path in files for word in ("-C", path.parent, path.name))])


def build_packages(work: Path, tell: _Tell) -> list[Path]:
    """All .deb and .rpm files, below ``work``; built when sources or binaries changed since the last time.

    The roots must be prepared; logs go to ``work``.
    """
    archive = cached(
        "packages", packages.content_key(portable_tree()), "packages.tar", lambda target: _build(work, target, tell)
    )
    place = work / "packages"
    roots.remove_tree(place)
    place.mkdir(parents=True)
    run(["tar", "-C", place, "-xf", archive])
    return sorted(place.iterdir())


def make_repositories(files: Sequence[Path], work: Path, home: Path, tell: _Tell) -> Path:
    """Signed repositories of these packages as ``work/repo``, by the key in ``home``; returns that directory."""
    target = work / "repo"
    shutil.rmtree(target, ignore_errors=True)
    log = work / "repositories.log"
    with _timed(tell, "signed repositories"), Key.open(home, "tls-bootstrap test key", log) as key:
        suites = [repository.Suite(codename) for codename in CODENAMES]
        repository.make_apt(target / APT, [path for path in files if path.suffix == ".deb"], suites, key, log)
        repository.make_yum(target / YUM, [path for path in files if path.suffix == ".rpm"], key, log)
    return target
