# SPDX-License-Identifier: Apache-2.0
"""Packages, repositories and roots that the tests share. They are built once per session."""

import os
from pathlib import Path

import pytest
from openssl import cache
from toolkit import mounts, published, releases, roots
from toolkit.commands import run
from toolkit.managers import Apt, Dnf

WORK = releases.TOP / "build" / "test-packages"


#: Seconds for one test with its fixtures: a cold cache means roots, packages and OpenSSL built first.
LIMIT = 2400


def pytest_configure():
    mounts.separate()


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.timeout(LIMIT))
    if os.geteuid() == 0:
        return
    reason = "throw-away roots and package managers need root: run make test as root"
    for item in items:
        if {"published_repositories", "built", "packages", "as_root"} & set(item.fixturenames):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def as_root():
    """Asked for by tests that need no packages, but root."""


@pytest.fixture
def packages_tools():
    """Runs a packaging tool; a status other than 0 fails the test."""
    return lambda *arguments: run(arguments).output


@pytest.fixture(scope="session")
def built():
    """Release -> directory of its packages, for those releases that the demo uses, made from build/portable."""
    portable = published.portable_tree()
    assert (portable / "py3").is_dir(), f"{portable} is not there: run make portable first"
    WORK.mkdir(parents=True, exist_ok=True)
    # Two runs of one checkout would build in each other's directories.
    with cache.locked(str(WORK / ".lock"), str(WORK)):
        published.prepare_roots([roots.RPM, roots.BULLSEYE_PYTHON2], WORK, print)
        yield published.build_packages(published.DEMO, WORK, print)


@pytest.fixture(scope="session")
def packages(built):
    """Paths of one set of packages of each family and both Pythons: Debian 11's, and RHEL 9's with 8's for Python 2.7."""
    debian = sorted(built[releases.by_name("bullseye")].glob("*.deb"))
    nine, eight = (sorted(built[releases.by_name(name)].rglob("*.rpm")) for name in ("el9", "el8"))
    return [*debian, *nine, *(path for path in eight if path.name.startswith("python2-"))]


@pytest.fixture(scope="session")
def published_repositories(built):
    """The directory with both signed repositories."""
    return published.publish(built, WORK / "repo", WORK, WORK / "gnupg", print)


def fresh_root(recipe, name):
    """A fresh root, with a log of its own."""
    log = WORK / f"{name}.log"
    log.unlink(missing_ok=True)
    return roots.unpack(recipe, WORK / "roots" / name, log)


class System:
    """A root with its package manager, and the names to install."""

    def __init__(self, root, manager):
        self.root = root
        self.manager = manager
        self.names = ["tls-bootstrap-pip", "python2-tls-bootstrap-pip"]


@pytest.fixture(scope="module", params=["apt", "dnf"])
def system(request, published_repositories):
    """One root per package manager and module, with both Pythons' packages to install."""
    if request.param == "apt":
        root = fresh_root(roots.BULLSEYE_PYTHON2, f"{Path(request.path).stem}-apt")
        made = System(root, Apt(root, releases.by_name("bullseye")))
    else:
        root = fresh_root(roots.RPM, f"{Path(request.path).stem}-dnf")
        made = System(root, Dnf(root, [releases.by_name(name) for name in ("el9", "el8")]))
    yield made
    root.remove()
