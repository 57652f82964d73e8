# SPDX-License-Identifier: Apache-2.0
"""The system flavour in roots of Debian releases: built there, against that OpenSSL, and examined there.

Each root has the release's own interpreters, their test suites, a compiler and OpenSSL's headers.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from openssl.errors import BuildError
from toolkit import roots
from toolkit.conformance.runs import SCRIPTS, Place
from toolkit.roots import Recipe, Root

#: Where the roots are unpacked.
WORK = Path("build", "conformance", "work")
#: The project inside a root.
INSIDE = "/project"
#: What `make build` needs of it, and the runner.
PARTS = ("Makefile", "VERSION", "src", "tests/conformance")

_TOOLS = ("python3", "python3-dev", "gcc", "libc6-dev", "make", "libssl-dev", "pkg-config", "ca-certificates", "passwd")


@dataclass(frozen=True)
class Release:
    """A release and the versions of Python in it that are examined."""

    suite: str
    versions: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        """The root to build and examine in."""
        packages = [*_TOOLS]
        for version in self.versions:
            packages += [f"python{version}", f"libpython{version}-dev", f"libpython{version}-testsuite"]
        return Recipe(f"{self.suite}-conformance", self.suite, tuple(packages), arguments=roots.suite_options(self.suite))


#: OpenSSL 1.1.1, 3.0, 3.5 and 3.6 in this order.
RELEASES = {
    release.suite: release
    for release in (
        Release("bullseye", ("2.7", "3.9")),
        Release("bookworm", ("3.11",)),
        Release("trixie", ("3.13",)),
        Release("sid", ("3.14",)),
    )
}


class InRoot:
    """An interpreter in a root."""

    def __init__(self, suite: str, version: str, root: Root) -> None:
        self.name = f"{suite}-{version}"
        self._python = f"/usr/bin/python{version}"
        self._tree = f"{INSIDE}/build/system/py{version[0]}"
        self._root = root

    def execute(self, arguments: Sequence[str], timeout: float) -> tuple[int, str]:
        done = self._root.run([self._python, *arguments], timeout=timeout, check=False)
        return done.status, done.output

    def script(self, name: str) -> str:
        return f"{INSIDE}/{SCRIPTS}/{name}"

    def tree(self) -> str:
        return self._tree

    def exchange(self) -> tuple[Path, str]:
        outside = Path(tempfile.mkdtemp(dir=self._root.path / "tmp", prefix="conformance-"))
        return outside, f"/tmp/{outside.name}"


def _prepare(release: Release) -> Root:
    """Unpack the release's root, copy the project into it and build the system flavour there."""
    log = WORK / f"{release.suite}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    root = roots.unpack(release.recipe, WORK / release.suite, log)
    for part in PARTS:
        target = root.path / INSIDE[1:] / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(part).is_dir():
            shutil.copytree(part, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copyfile(part, target)
    newest = {version[0]: f"/usr/bin/python{version}" for version in release.versions}
    variables = {"PYTHON3": newest.get("3", ""), "PYTHON2": newest.get("2", ""), "WERROR": "1", "CACHE": ""}
    print(f"{release.suite}: building the system flavour (log: {log})", flush=True)
    root.run(["make", "-C", INSIDE, "build", "FLAVOUR=system"], environment=variables)
    return root


@contextlib.contextmanager
def places(names: Sequence[str]) -> Iterator[list[Place]]:
    """The interpreters of the releases named (or of `all`), in roots that are removed at the end."""
    wanted = list(RELEASES) if list(names) == ["all"] else list(names)
    unknown = [name for name in wanted if name not in RELEASES]
    if unknown:
        raise BuildError(f"--roots: {', '.join(unknown)} is not one of all, {', '.join(RELEASES)}")
    unpacked: list[Root] = []
    try:
        found: list[Place] = []
        for name in wanted:
            root = _prepare(RELEASES[name])
            unpacked.append(root)
            found += [InRoot(name, version, root) for version in RELEASES[name].versions]
        yield found
    finally:
        for root in unpacked:
            root.remove()
