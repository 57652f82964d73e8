# SPDX-License-Identifier: Apache-2.0
"""pip is upgraded under the packages, by the vendor's package and by itself: the record is stale, and the check tells the truth.

The new pips are real ones: the vendor's package is built around one, and pip fetches the other from a loopback index.
"""

import json
import zipfile

import pytest
from toolkit import published, releases, repository, roots, wheels
from toolkit.commands import run
from toolkit.index import Index
from toolkit.managers import Apt, Dnf

#: root -> recipe, releases to install from, version of its Python, pip that it becomes.
SYSTEMS = {
    "bullseye": (roots.BULLSEYE, ("bullseye",), "3.9", "25.1.1"),
    "trixie": (roots.TRIXIE, ("trixie",), "3.13", "26.3"),
    "rpm": (roots.RPM, ("el9",), "3.9", "25.1.1"),
}

_CONTROL = """Package: python3-pip
Version: 99
Architecture: all
Maintainer: The vendor <vendor@example.org>
Depends: python3
Description: a newer pip of the vendor's
"""
_SPEC = """Name: python3-pip
Version: 99
Release: 1
Summary: A newer pip of the vendor's
License: MIT
BuildArch: noarch
AutoReqProv: no
%global __os_install_post %{nil}
%description
A newer pip of the vendor's.
%install
mkdir -p %{buildroot}
cp -a /tmp/vendor/tree/. %{buildroot}/
%files
/usr/lib/python3.9/site-packages/pip
/usr/bin/pip3
"""
_LAUNCHER = roots.launcher("/usr/bin/python3", "pip._internal.cli.main")


class System:
    """A root with our packages and a record of a check."""

    def __init__(self, name, root, manager):
        self.name, self.root, self.manager = name, root, manager
        _, _, self.python, self.new = SYSTEMS[name]

    def vendor_upgrade(self):
        """Build the vendor's package around the new pip and install it by the lower tool, as an upgrade."""
        place = self.root.make_directory("/tmp/vendor")
        site = "usr/lib/python3.9/site-packages" if self.name == "rpm" else "usr/lib/python3/dist-packages"
        tree = place / "tree"
        (tree / site).mkdir(parents=True)
        with zipfile.ZipFile(wheels.path(f"pip=={self.new}")) as archive:
            archive.extractall(tree / site, [name for name in archive.namelist() if name.startswith("pip/")])
        self.root.write("/tmp/vendor/tree/usr/bin/pip3", _LAUNCHER, mode=0o755)
        if self.name == "rpm":
            self.root.write("/tmp/vendor/pip.spec", _SPEC)
            self.root.run(["rpmbuild", "-bb", "--define", "_topdir /tmp/vendor", "/tmp/vendor/pip.spec"])
            # The root's own pip came with it and has no package of its own: its files are replaced.
            self.root.run(["rpm", "--upgrade", "--replacefiles", "/tmp/vendor/RPMS/noarch/python3-pip-99-1.noarch.rpm"])
        else:
            (tree / "DEBIAN").mkdir()
            (tree / "DEBIAN" / "control").write_text(_CONTROL)
            run(["dpkg-deb", "--root-owner-group", "--build", tree, place / "pip.deb"], log=self.root.log)
            self.root.run(["apt-get", "--yes", "install", "/tmp/vendor/pip.deb"])

    def upgrade_itself(self, work):
        """`pip install -U pip` as root from an index on loopback."""
        authority = self.root.path / "tmp" / "authority.pem"
        wheel = wheels.path(f"pip=={self.new}")
        tree = published.portable_tree() / "py3"
        log = work / f"pip-upgrades-{self.name}-index.log"
        with Index(tree=tree, wheel=wheel, authority=authority, nonce=bytes(32), groups="", log=log) as index:
            words = ["pip3", "install", "--upgrade", "--index-url", index.url, "--cert", "/tmp/authority.pem", "pip"]
            # What Debian 12 and later make of it: the word, and its own pip, which it cannot uninstall, stays beside it.
            words += ["--break-system-packages", "--ignore-installed"] if self.name == "trixie" else []
            self.root.run(words)
            assert [one for one in index.connections() if wheel.name in one["files"]]

    def status(self):
        """(its head, the part about Python 3) of the status."""
        head, _, rest = self.root.run(["tls-bootstrap", "status"], user=roots.USER).output.partition("\n\n")
        lines = rest.splitlines()
        (begin,) = (number for number, line in enumerate(lines) if line.startswith("/usr/bin/python3 "))
        return head, "\n".join(lines[begin : begin + 3])

    def check(self, *words):
        """(exit status, report) of the check as an ordinary user."""
        done = self.root.run(["tls-bootstrap", "check", "--json", *words], user=roots.USER, check=False)
        return done.status, json.loads(done.output)


@pytest.fixture(scope="module")
def repositories_of_all(work):
    """Repositories for the three roots."""
    wanted = [item for item in published.DEMO if item.release.codename != "el8"]
    published.prepare_roots([roots.RPM], work, print)
    return published.publish(published.build_packages(wanted, work, print), work / "pip-upgrades", work, work / "gnupg", print)


@pytest.fixture(params=sorted(SYSTEMS))
def system(request, repositories_of_all, work):
    recipe, served, _, _ = SYSTEMS[request.param]
    log = work / f"pip-upgrades-{request.param}.log"
    log.unlink(missing_ok=True)
    root = roots.unpack(recipe, work / "roots" / f"pip-upgrades-{request.param}", log)
    known = [releases.by_name(name) for name in served]
    manager = Apt(root, known[0]) if known[0].family == "deb" else Dnf(root, known)
    with repository.served(repositories_of_all) as url:
        manager.add_repository(repositories_of_all, url)
        manager.refresh()
        manager.install(["tls-bootstrap-pip"])
    made = System(request.param, root, manager)
    done = root.run(["tls-bootstrap", "check", "--record"], check=False)
    assert done.status == 0, done.output
    assert "used, unchanged since" in made.status()[1]
    yield made
    root.remove()


def test_upgraded_by_the_vendor(system):
    system.vendor_upgrade()
    head, status = system.status()
    assert f"pip {system.new}" in status
    assert "a package changed pip since then: run `tls-bootstrap check --record`" in head
    assert ": changed since the last check" in status and "unchanged since" not in status
    code, report = system.check()
    assert code == 0, report
    assert system.new in json.dumps(report)
    assert system.root.run(["tls-bootstrap", "check", "--record"]).status == 0
    head, status = system.status()
    assert "used, unchanged since" in status and "a package changed pip" not in head


def test_upgraded_by_itself(system, work):
    system.upgrade_itself(work)
    version = system.root.run(["pip3", "--version"], user=roots.USER).output
    assert f"pip {system.new} " in version, "the root's pip is the new one"
    _, status = system.status()
    assert f"pip {system.new}" in status
    assert ": changed since the last check" in status and "unchanged since" not in status
    # It belongs to no package now: the check says what it does, and counts it where it is asked for by name.
    code, report = system.check()
    (target,) = (each for each in report["targets"] if each["pip"]["version"] == system.new)
    assert (target["verdict"], target["counted"]) == ("used", False)
    # No system pip is left; the RPM root still has that of 2.7, which has nothing of ours.
    assert code == (2 if system.name == "rpm" else 3)
    said = system.root.run(["tls-bootstrap", "check"], user=roots.USER, check=False).output
    assert "uses _tls_bootstrap" in said and "[not counted: no package owns this pip" in said
    code, report = system.check("--pip", "/usr/local/bin/pip3")
    assert code == 0, report
    assert [each["pip"]["version"] for each in report["targets"] if each["counted"]] == [system.new]
