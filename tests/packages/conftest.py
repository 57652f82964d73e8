# SPDX-License-Identifier: Apache-2.0
"""Packages, repositories and roots that the tests share. They are built once per session."""

import os
from pathlib import Path

import pytest
from openssl import cache
from toolkit import published, roots
from toolkit.managers import Apt, Dnf

WORK = published.TOP / "build" / "test-packages"


#: Seconds for one test with its fixtures: a cold cache means roots, packages and OpenSSL built first.
LIMIT = 2400


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.timeout(LIMIT))
    if os.geteuid() == 0:
        return
    reason = "throw-away roots and package managers need root: run make test as root"
    for item in items:
        if "published_repositories" in item.fixturenames or "packages" in item.fixturenames or "as_root" in item.fixturenames:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def as_root():
    """Asked for by tests that need no packages, but root."""


@pytest.fixture(scope="session")
def packages():
    """Paths of all .deb and .rpm files, made from build/portable."""
    portable = published.portable_tree()
    assert (portable / "py3").is_dir(), f"{portable} is not there: run make portable first"
    WORK.mkdir(parents=True, exist_ok=True)
    # Two runs of one checkout would build in each other's directories.
    with cache.locked(str(WORK / ".lock"), str(WORK)):
        published.prepare_roots([roots.RPM, roots.BULLSEYE_PYTHON2], WORK, print)
        yield published.build_packages(WORK, print)


@pytest.fixture(scope="session")
def published_repositories(packages):
    """The directory with both signed repositories."""
    return published.make_repositories(packages, WORK, WORK / "gnupg", print)


def _unpacked(recipe, name):
    log = WORK / f"{name}.log"
    log.unlink(missing_ok=True)
    return roots.unpack(recipe, WORK / "roots" / name, log)


class System:
    """A root with its package manager, and how a repository is laid out for it."""

    def __init__(self, root, manager, part, names):
        self.root = root
        self.manager = manager
        self.part = part
        self.names = names


@pytest.fixture(scope="module", params=["apt", "dnf"])
def system(request, published_repositories):
    """One root per package manager and module, with both Pythons' packages to install."""
    if request.param == "apt":
        root = _unpacked(roots.BULLSEYE_PYTHON2, f"{Path(request.path).stem}-apt")
        names = ["tls-bootstrap-pip", "python2-tls-bootstrap-pip"]
        made = System(root, Apt(root, "bullseye"), published.APT, names)
    else:
        root = _unpacked(roots.RPM, f"{Path(request.path).stem}-dnf")
        made = System(root, Dnf(root), published.YUM, ["tls-bootstrap-pip"])
    yield made
    root.remove()
