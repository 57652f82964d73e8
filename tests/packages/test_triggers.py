# SPDX-License-Identifier: Apache-2.0
"""When a package changes pip, the recorded check is marked stale, silently."""

import re

from conftest import WORK
from toolkit import repository
from toolkit.commands import run

PIPS = {"apt": "/usr/local/bin/pip2", "dnf": "/usr/bin/pip2"}
STALE = "var/lib/tls-bootstrap/stale"

SPEC = """Name: python3-pip
Version: 99
Release: 1
Summary: Stands for the vendor's update of pip
License: MIT
BuildArch: noarch
%description
Stands for the vendor's update of pip.
%files
"""

CONTROL = """Package: python3-pip-update
Version: 99
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: stands for the vendor's update of pip
"""


def vendor_update(system):
    """A package of the vendor's that changes pip, as a path inside the root."""
    if system.manager.name == "dnf":
        system.root.write("/tmp/vendor/pip.spec", SPEC)
        system.root.run(["rpmbuild", "-bb", "--define", "_topdir /tmp/vendor", "/tmp/vendor/pip.spec"])
        return "/tmp/vendor/RPMS/noarch/python3-pip-99-1.noarch.rpm"
    place = system.root.make_directory("/tmp/vendor")
    (place / "DEBIAN").mkdir()
    (place / "DEBIAN" / "control").write_text(CONTROL)
    changed = place / "usr/lib/python3/dist-packages/pip"
    changed.mkdir(parents=True)
    (changed / "vendor.txt").write_text("a new pip")
    run(["dpkg-deb", "--root-owner-group", "--build", place, place / "pip.deb"], log=WORK / "vendor.log")
    return "/tmp/vendor/pip.deb"


def install(system, package):
    verb = ["rpm", "--install"] if system.manager.name == "dnf" else ["dpkg", "--install"]
    return system.root.run([*verb, package]).output


def uninstall(system):
    name = ["rpm", "--erase", "python3-pip"] if system.manager.name == "dnf" else ["dpkg", "--purge", "python3-pip-update"]
    system.root.run(name)


def test_an_update_of_pip_marks_the_record_stale(system, published_repositories):
    update = vendor_update(system)
    with repository.served(published_repositories) as url:
        system.manager.add_repository(published_repositories, url)
        system.manager.refresh()
        system.manager.install(system.names)
    output = install(system, update)
    assert not (system.root.path / STALE).exists(), "there is no record that could be stale"
    # The trigger's own lines name the package; it prints nothing itself.
    assert not re.search("stale|error|warning: %trigger", output, re.IGNORECASE)
    uninstall(system)

    system.root.run(["/usr/bin/tls-bootstrap", "check", "--quiet", "--record", "--pip", PIPS[system.manager.name]])
    assert not (system.root.path / STALE).exists()
    install(system, update)
    assert (system.root.path / STALE).exists()
    assert "a package changed pip since then" in system.root.run(["/usr/bin/tls-bootstrap", "status"]).output

    system.root.run(["/usr/bin/tls-bootstrap", "check", "--quiet", "--record", "--pip", PIPS[system.manager.name]])
    assert not (system.root.path / STALE).exists(), "a new record is not stale"
