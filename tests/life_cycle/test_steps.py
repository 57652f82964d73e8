# SPDX-License-Identifier: Apache-2.0
"""Install, reinstall, upgrade, downgrade, remove: after each step the packages are whole, and pip's use of them is proven.

One history per manager; the tests of a module run in the order in which they stand, each from where the one before it left.
"""

import pytest
from toolkit import releases_gate, tree
from toolkit.releases import by_name
from versions import NAMES

#: What earlier steps found, by manager.
SEEN = {}


def assert_whole(system, version):
    assert system.verify() == ""
    assert system.installed_version() == version
    assert system.module_versions() == {version}
    status, output = system.check()
    assert status == 0, output


def test_both_versions_are_kept_in_every_suite(two_versions):
    repo, old, new = two_versions
    for codename in ("bullseye", "el8", "el9"):
        listed = {version.split("-")[0] for version in releases_gate.listed_versions(by_name(codename), repo)}
        assert listed == {old, new}


def test_install(system):
    SEEN[system.kind, "before"] = system.snapshot()
    system.install(system.old)
    SEEN[system.kind, "old"] = system.snapshot()
    assert_whole(system, system.old)


def test_reinstall_changes_nothing(system):
    system.reinstall()
    assert_whole(system, system.old)
    assert tree.compare(SEEN[system.kind, "old"], system.snapshot()) == []


def test_a_damaged_file_is_told_and_reinstalling_mends_it(system):
    damaged = next(system.root.path.glob("usr/lib*/python3*/*-packages/_tls_bootstrap/_names.py"))
    damaged.write_text("raise SystemExit(7)\n")
    inside = str(damaged)[len(str(system.root.path)) :]
    assert inside in system.verify()
    system.reinstall()
    assert_whole(system, system.old)


def test_upgrade(system):
    system.install(system.new)
    assert_whole(system, system.new)


def test_downgrade_is_as_if_the_upgrade_had_never_been(system):
    system.install(system.old, verb="downgrade")
    assert_whole(system, system.old)
    assert tree.compare(SEEN[system.kind, "old"], system.snapshot()) == []


def test_removing_the_metapackage_leaves_what_was_asked_for_by_name(system):
    system.root.run(["apt-get", "remove", "--yes", "tls-bootstrap-pip"] if system.kind == "apt"
                    else ["dnf", "--assumeyes", "remove", "--noautoremove", "tls-bootstrap-pip"])  # fmt: skip
    assert set(system.manager.installed()) >= {"tls-bootstrap", "python3-tls-bootstrap-pip"}
    assert system.check()[0] == 0


@pytest.mark.parametrize("asked", ["tls-bootstrap-pip"])
def test_what_came_by_dependency_goes_by_autoremove(system, asked):
    words = ["apt-get", "purge", "--yes"] if system.kind == "apt" else ["dnf", "--assumeyes", "remove"]
    system.root.run([*words, *(name for name in NAMES if name in system.manager.installed())])
    assert system.manager.installed() == []
    system.manager.install([asked])
    assert "python3-tls-bootstrap" in system.manager.installed()
    system.manager.remove([asked])
    assert system.manager.installed() == []
    if system.kind == "apt":
        left = system.root.run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Abbrev}\\n"]).output
        assert not [line for line in left.splitlines() if "tls-bootstrap" in line and "un" not in line.split()[1]]


def test_nothing_is_left(system):
    assert tree.compare(SEEN[system.kind, "before"], system.snapshot()) == []
