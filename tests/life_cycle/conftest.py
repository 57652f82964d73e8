# SPDX-License-Identifier: Apache-2.0
"""The published repositories of all releases, a web server for them, and roots to install from them."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
import versions
from openssl import cache
from toolkit import enterprise_root, mounts, nginx, packages, published, releases, repository, roots, successor, tree
from toolkit.releases import TOP

WORK = TOP / "build" / "life-cycle"
REPO = TOP / "dist" / "repo"

#: Seconds for one test with its fixtures; roots are made when the cache lacks them.
LIMIT = 1800


def pytest_configure():
    mounts.separate()


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.timeout(LIMIT))
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="throw-away roots and package managers need root: run make life-cycle as root"))


@pytest.fixture(scope="session")
def work():
    """The directory of this run; only one run at a time works in it."""
    WORK.mkdir(parents=True, exist_ok=True)
    with cache.locked(str(WORK / ".lock"), str(WORK)):
        yield WORK


@pytest.fixture(scope="session")
def repositories():
    """What `make repo` left."""
    assert (REPO / "SHA256SUMS").exists(), f"{REPO} is not there: run make repo first (make life-cycle does)"
    return REPO


@pytest.fixture(scope="session")
def server(repositories, work):
    """nginx with the repositories."""
    with nginx.serving(repositories, work / "nginx") as running:
        yield running


@pytest.fixture
def make_root(work):
    """Fresh roots by release: the one that stands for it, perhaps with more of its packages; removed after the test."""
    made = []

    def make(codename, name, more=()):
        release = releases.by_name(codename)
        if release.stand_in == "el-root":
            missing = enterprise_root.available()
            if missing:
                pytest.skip(missing)  # names the interpreters that this machine lacks
            recipe = enterprise_root.recipe()
        else:
            recipe = roots.OF_SUITE[release.stand_in]
        if more:
            recipe = dataclasses.replace(recipe, name="-".join([recipe.name, *more]), packages=(*recipe.packages, *more))
        log = work / f"{name}.log"
        log.unlink(missing_ok=True)
        root = roots.unpack(recipe, work / "roots" / name, log)
        made.append(root)
        if release.family == "rpm":
            enterprise_root.become(root, release)
        return root

    yield make
    for root in made:
        root.remove()


def through_proxy(root, release, server):
    """Let the root's manager reach the address that stands in the packages, as behind a proxy."""
    if release.family == "deb":
        root.write("/etc/apt/apt.conf.d/99proxy", f'Acquire::http::Proxy "{server.http}";\n')
    else:
        configuration = root.path / "etc" / "dnf" / "dnf.conf"
        configuration.parent.mkdir(parents=True, exist_ok=True)
        text = configuration.read_text() if configuration.exists() else "[main]\n"
        root.write("/etc/dnf/dnf.conf", f"{text.rstrip()}\nproxy={server.http}\nassumeyes=True\nmetadata_expire=0\n")


def bring_in(root, path):
    """Copy a file into the root; returns its path there."""
    inside = f"/tmp/{path.name}"
    shutil.copyfile(path, root.path / inside.lstrip("/"))
    return inside


def same(before, root):
    """The differences of a root from a snapshot."""
    return tree.compare(before, tree.snapshot(root.path))


@pytest.fixture(scope="session")
def two_versions(work):
    """(directory, old, new): repositories that hold this version and its successor, for the roots of both managers."""
    wanted = [item for item in published.DEMO if item.release.codename != "trixie"]
    source = packages.Source()
    repo = work / "two"
    shutil.rmtree(repo, ignore_errors=True)
    published.prepare_roots([roots.RPM, roots.BULLSEYE_PYTHON2], work, print)
    following = successor.make(source, work / "successor", published.native())
    for each in (source, following):
        built = published.build_packages(wanted, work, print, each)
        published.publish(built, repo, work, work / "gnupg", print, source=each)
    return repo, source.version, following.version


@pytest.fixture(scope="module", params=["apt", "dnf"])
def system(request, two_versions, work):
    """A root per manager and module that knows both versions; nothing of ours is installed yet."""
    repo, old, new = two_versions
    apt_root = getattr(request.module, "APT_ROOT", roots.BULLSEYE_PYTHON2)
    made = versions.made(request.param, Path(request.path).stem, work, old, new, apt_root)
    with repository.served(repo) as url:
        versions.add(made, repo, url)
        made.url = url
        yield made
    made.root.remove()
