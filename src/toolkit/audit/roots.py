# SPDX-License-Identifier: Apache-2.0
"""Roots of Debian releases for the audit: the project is built in each by the release's own compiler.

bullseye has OpenSSL 1.1.1, bookworm 3.0, trixie 3.5 and sid 3.6 (and Python 3.14).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.build import BINARY, PACKAGE
from openssl import cache, source
from openssl.errors import BuildError
from toolkit import interpreters, roots
from toolkit.audit.model import RESULTS
from toolkit.audit.run import Run, all_interpreters
from toolkit.commands import CommandError
from toolkit.conformance.roots import RELEASES, Release
from toolkit.interpreters import Interpreter
from toolkit.roots import Recipe, Root

WORK = RESULTS / "roots"
#: The project inside a root, and what of it is needed there.
INSIDE = "/project"
PARTS = ("Makefile", "VERSION", "src", "tests/unit", "tests/isolation")
PROGRAMS = f"{INSIDE}/tests/isolation"
#: Where the bundled flavour is built too. sid's compiler changes from day to day.
BUNDLED = ("bullseye", "bookworm", "trixie")
#: What a build of the bundled flavour needs beside what the system flavour does.
FOR_BUNDLED = ("perl", "patch")
#: The release with the newest Python, which no machine of a developer may have.
NEWEST = ("sid", "3.14")

CACHE_INSIDE = "/cache"
#: Pseudo-terminals for the program that follows; the mount goes with its namespace. (Such a root has no mount command.)
WITH_TERMINALS = """
import ctypes, os, sys
if ctypes.CDLL(None, use_errno=True).mount(b"none", b"/dev/pts", b"devpts", 0, b"ptmxmode=0666"):
    sys.exit("mounting /dev/pts: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
"""
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.pyo")


@dataclass(frozen=True)
class Place:
    """An unpacked root with the project built in it."""

    release: Release
    root: Root

    @property
    def suite(self) -> str:
        return self.release.suite

    def versions(self, major: int) -> list[str]:
        """The release's Pythons of one major, "3.9"."""
        return [version for version in self.release.versions if version.startswith(f"{major}.")]

    def tree(self, flavour: str, major: int) -> str:
        """A built tree as the programs inside see it."""
        return f"{INSIDE}/build/{'' if flavour == 'bundled' else flavour + '/'}py{major}"

    def outside(self, inside: str) -> Path:
        """A path of the root as this machine sees it."""
        return self.root.path / inside.lstrip("/")

    def binary(self, flavour: str, major: int) -> Path:
        """The C half that was built here."""
        return self.outside(self.tree(flavour, major)) / PACKAGE / BINARY[major]

    def bring(self, path: Path, inside: str) -> None:
        """Copy a file or a directory of this machine into the root."""
        target = self.outside(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, ignore=IGNORED, dirs_exist_ok=True)
        else:
            shutil.copy2(path, target)

    def run(self, words: Sequence[str], variables: Mapping[str, str], limit: float = 300) -> Run:
        """Run a program inside to its end; both its streams are the output."""
        try:
            done = self.root.run(words, environment=variables, timeout=limit, check=False)
        except CommandError as error:
            return Run(None, "", str(error))
        return Run(done.status, done.output, "")

    def python(self, version: str, words: Sequence[str], places: Sequence[str], **variables: str) -> Run:
        """Run one of the release's Pythons with directories on its path."""
        return self.run([f"/usr/bin/python{version}", "-s", *words], {"PYTHONPATH": ":".join(places), **variables})

    def tests(self, version: str, tree: str, paths: Sequence[str]) -> Run:
        """Run tests of the project with the pytest that fits."""
        place = f"/pytest-{version}"
        if not self.outside(place).exists():
            self.bring(interpreters.pytest_directory(_twin(version)), place)
        python = f"/usr/bin/python{version}"
        words = [python, "-c", WITH_TERMINALS, python, "-s", "-m", "pytest", "-q", "-rfEs", "-p", "no:cacheprovider"]
        variables = {"PYTHONPATH": f"{tree}:{place}", "PYTHONDONTWRITEBYTECODE": "1"}
        return self.run([*words, *(f"{INSIDE}/{path}" for path in paths)], variables, 1800)


def _twin(version: str) -> Interpreter:
    """An interpreter by which the pytest for a version is chosen: for 3 none needs to be on this machine."""
    if version.startswith("3."):
        return Interpreter(f"python{version}", (3, int(version[2:]), 0), True, False)
    for item in all_interpreters():
        if item.language == version:
            return item
    raise BuildError(f"no Python {version} is here, by which the pytest for a root's would be installed")


def _recipe(release: Release) -> Recipe:
    recipe = release.recipe
    if release.suite not in BUNDLED:
        return recipe
    # The interpreters' own tests stay out: these roots are unpacked in every audit.
    packages = [name for name in recipe.packages if not name.endswith("-testsuite")]
    return dataclasses.replace(recipe, name=f"{release.suite}-audit", packages=(*packages, *FOR_BUNDLED))


def _make(place: Place, flavour: str) -> None:
    newest = {version[0]: f"/usr/bin/python{version}" for version in place.release.versions}
    variables = {"PYTHON3": newest.get("3", ""), "PYTHON2": newest.get("2", ""), "WERROR": "1", "CACHE": CACHE_INSIDE}
    try:
        words = ["make", "-C", INSIDE, "build", f"FLAVOUR={flavour}"]
        place.root.run(words, environment={**variables, "JOBS": str(os.cpu_count())}, timeout=3600)
    except CommandError as error:
        raise BuildError(f"building the {flavour} flavour in the root of {place.suite} failed: {error}") from error


_open: dict[str, Place] = {}
_locks = {suite: threading.Lock() for suite in RELEASES}
_stack = contextlib.ExitStack()


def opened(suite: str) -> Place:
    """A release's root with the project built in it, the same one until `close`. Raises BuildError."""
    with _locks[suite]:
        if suite not in _open:
            _open[suite] = _stack.enter_context(_place(suite))
        return _open[suite]


def close() -> None:
    """Remove all roots that were opened."""
    _open.clear()
    _stack.close()


def with_bundled(suite: str) -> Place:
    """The same with the bundled flavour built too; its OpenSSL is kept in this machine's cache."""
    place = opened(suite)
    with _locks[suite]:
        if place.outside(place.tree("bundled", 3)).exists():
            return place
        shelf, kept = place.outside(CACHE_INSIDE) / "openssl", Path(cache.root(), "root-openssl", suite)
        kept.mkdir(parents=True, exist_ok=True)
        place.bring(kept, f"{CACHE_INSIDE}/openssl")
        place.bring(Path(source.tarball()).parent, f"{CACHE_INSIDE}/sources")
        print(f"audit: building the bundled flavour in the root of {suite} (log: {place.root.log})", flush=True)
        _make(place, "bundled")
        for entry in shelf.iterdir():
            if entry.is_dir() and not entry.name.startswith(".") and not (kept / entry.name).exists():
                fresh = kept / f".{entry.name}.{os.getpid()}"
                shutil.copytree(entry, fresh)
                fresh.rename(kept / entry.name)
    return place


@contextlib.contextmanager
def _place(suite: str) -> Iterator[Place]:
    release = RELEASES[suite]
    WORK.mkdir(parents=True, exist_ok=True)
    log = WORK / f"{suite}.log"
    log.unlink(missing_ok=True)
    try:
        root = roots.unpack(_recipe(release), WORK / suite, log)
    except CommandError as error:
        raise BuildError(f"the root of {suite} cannot be made (make deps, as root): {error}") from error
    try:
        found = Place(release, root)
        for part in PARTS:
            found.bring(Path(part), f"{INSIDE}/{part}")
        print(f"audit: building the system flavour in the root of {suite} (log: {log})", flush=True)
        _make(found, "system")
        yield found
    finally:
        root.remove()
