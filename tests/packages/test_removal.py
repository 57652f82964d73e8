# SPDX-License-Identifier: Apache-2.0
"""Packages leave nothing behind, whatever root did while they were installed.

The demo proves it for the packages of each row; here both Pythons' packages are in one
root, and are removed in parts.
"""

from toolkit import repository, tree, trial

PROGRAMS = {"apt": ("/usr/bin/python3", "/usr/bin/python2.7"), "dnf": ("/usr/bin/python3.9", "/usr/bin/python2.7")}
PIPS = {"apt": "/usr/local/bin/pip2", "dnf": "/usr/bin/pip2"}


def installed(system, published_repositories, url):
    system.manager.add_repository(published_repositories, url)
    system.manager.refresh()
    system.manager.install(system.names)


def test_nothing_is_left_after_root_wrote_all_kinds_of_byte_code_and_a_record(system, published_repositories):
    before = tree.snapshot(system.root.path)
    with repository.served(published_repositories) as url:
        installed(system, published_repositories, url)
        for program in PROGRAMS[system.manager.name]:
            for option in ("-B", "-BO", "-BOO"):
                system.root.run([program, option, "-c", trial.COMPILE_OURS])
        system.root.run(["/usr/bin/tls-bootstrap", "check", "--quiet", "--record", "--pip", PIPS[system.manager.name]])
        assert (system.root.path / "var/lib/tls-bootstrap/check.json").exists()
        system.manager.remove(system.names)
        system.manager.remove_repository()
    assert system.manager.installed() == []
    assert tree.compare(before, tree.snapshot(system.root.path)) == []


def test_a_file_planted_while_installed_is_found(system, published_repositories):
    """The comparison can fail: the control of the test above."""
    before = tree.snapshot(system.root.path)
    with repository.served(published_repositories) as url:
        installed(system, published_repositories, url)
        system.root.write("/usr/share/tls-bootstrap/planted.pyc", "left behind")
        system.manager.remove(system.names)
        system.manager.remove_repository()
    assert tree.compare(before, tree.snapshot(system.root.path)) == [
        "/usr/share/tls-bootstrap: added (directory)",
        "/usr/share/tls-bootstrap/planted.pyc: added (file)",
    ]
    system.root.run(["rm", "-r", "/usr/share/tls-bootstrap"])


def test_without_the_module_the_hook_is_removed_too(system, published_repositories):
    with repository.served(published_repositories) as url:
        installed(system, published_repositories, url)
        assert "python2-tls-bootstrap-pip" in system.manager.installed()
        system.manager.remove(["python2-tls-bootstrap", "python3-tls-bootstrap"])
        left = system.manager.installed()
        system.manager.remove(left)
        system.manager.remove_repository()
    assert not [name for name in left if name.endswith("-pip")]
    assert system.manager.installed() == []
