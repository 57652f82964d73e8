# SPDX-License-Identifier: Apache-2.0
"""Installed packages on a living system: pip changes under them, and an administrator switches the hook off."""

import json
import os
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


def install_ours(system, published_repositories):
    if set(system.names) <= set(system.manager.installed()):
        return
    with repository.served(published_repositories) as url:
        system.manager.add_repository(published_repositories, url)
        system.manager.refresh()
        system.manager.install(system.names)


def test_an_update_of_pip_marks_the_record_stale(system, published_repositories):
    update = vendor_update(system)
    install_ours(system, published_repositories)
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


def check(system):
    """(exit status, report of the pip of Python 2.7)."""
    words = ["/usr/bin/tls-bootstrap", "check", "--json", "--pip", PIPS[system.manager.name]]
    done = system.root.run(words, check=False)
    (target,) = json.loads(done.output)["targets"]
    return done.status, target


def test_the_file_of_the_administrator_switches_every_pip_off(system, published_repositories):
    install_ours(system, published_repositories)
    assert check(system)[0] == 0
    system.root.run(["mkdir", "/etc/tls-bootstrap"])
    system.root.run(["touch", "/etc/tls-bootstrap/disabled"])
    status, target = check(system)
    assert (status, target["verdict"], target["reason"]) == (2, "not used", "/etc/tls-bootstrap/disabled exists")
    assert "off switches   /etc/tls-bootstrap/disabled (everybody)" in system.root.run(["/usr/bin/tls-bootstrap", "status"]).output
    system.root.run(["rm", "-r", "/etc/tls-bootstrap"])
    assert check(system)[0] == 0


def test_a_binary_that_is_not_the_packages_gets_no_0(system, published_repositories):
    """It works and exports what the server exports, but it is not what was installed, says the package database."""
    install_ours(system, published_repositories)
    status, target = check(system)
    assert status == 0
    core = system.root.path / target["connections"][0]["core"].lstrip("/")
    content, times = core.read_bytes(), core.stat()
    core.write_bytes(content + b"\0")
    status, target = check(system)
    assert (status, target["verdict"]) == (1, "broken")
    (point,) = [point for point in target["points"] if point["ok"] is False]
    assert point["text"].startswith("the file mapped in pip's process is the installed one")
    assert point["detail"] == "the package database says that the file was changed"
    core.write_bytes(content)
    os.utime(core, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert check(system)[0] == 0


def test_the_check_finds_the_pips_of_both_pythons_by_itself(system, published_repositories):
    install_ours(system, published_repositories)
    done = system.root.run(["/usr/bin/tls-bootstrap", "check", "--json"], check=False)
    targets = json.loads(done.output)["targets"]
    assert {target["python_version"][0] for target in targets if target["pip"]} >= {"2"}
    assert len({target["python"] for target in targets}) == len(targets) >= 2
