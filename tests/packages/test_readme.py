# SPDX-License-Identifier: Apache-2.0
"""What README.md tells an administrator to type works as it stands, from installation to removal."""

import re

import pytest
from conftest import fresh_root
from toolkit import releases, repository, roots, tree

README = (releases.TOP / "README.md").read_text(encoding="utf-8")
KEY = "/run/key-of-the-repository"


def section(title):
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)[1]


def commands(text):
    """The lines of the indented blocks."""
    return re.findall(r"^    (\S.*)$", text, re.MULTILINE)


def halves(title):
    """A section's commands for apt and those for dnf: the second begins at the words about Red Hat."""
    debian, red_hat = section(title).split("Red Hat Enterprise Linux", 1)
    return {"apt": commands(debian), "dnf": commands(red_hat)}


# In the place of the person who answers the managers' question.
ANSWERS = {
    "apt": ("/etc/apt/apt.conf.d/99answer", 'APT::Get::Assume-Yes "true";\n'),
    "dnf": ("/etc/dnf/dnf.conf", "[main]\nassumeyes=True\n"),
}
RECIPES = {"apt": roots.BULLSEYE, "dnf": roots.RPM}


@pytest.fixture(params=["apt", "dnf"])
def machine(request, published_repositories):
    """A fresh root, the commands' variables, and the manager's name."""
    manager = request.param
    root = fresh_root(RECIPES[manager], f"readme-{manager}")
    root.write(*ANSWERS[manager])
    key = f"apt/{repository.APT_KEY}" if manager == "apt" else f"{repository.YUM}/{repository.YUM_KEY}"
    root.write(KEY, (published_repositories / key).read_bytes())
    if manager == "dnf":
        for inside in ("/etc/pki", "/etc/pki/rpm-gpg", "/etc/yum.repos.d", "/etc/dnf/vars"):
            if not (root.path / inside.lstrip("/")).is_dir():
                root.make_directory(inside)
        root.write("/etc/dnf/vars/releasever", "9\n")
    with repository.served(published_repositories) as url:
        yield root, {"REPOSITORY": url, "KEY": KEY, "CODENAME": "bullseye"}, manager
    root.remove()


def test_install_prove_and_remove_as_written(machine):
    root, variables, manager = machine
    before = tree.snapshot(root.path)
    installing, proving, removing = halves("Install")[manager], commands(section("Prove")), halves("Remove")[manager]
    assert len(installing) >= 3
    assert len(removing) >= 2
    assert proving[0] == "tls-bootstrap check"
    for line in installing:
        root.run(["sh", "-ec", line], environment=variables)
    for line in proving:
        done = root.run(["sh", "-ec", line], user=roots.USER, environment=variables)
        assert done.output.strip()
    for line in removing:
        root.run(["sh", "-ec", line], environment=variables)
    assert tree.compare(before, tree.snapshot(root.path)) == []


def test_the_exit_codes_are_those_of_the_manual_page():
    in_readme = re.findall(r"^\| (\d) \|", section("Prove"), re.MULTILINE)
    manual = (releases.TOP / "src" / "command" / "tls-bootstrap.1").read_text(encoding="utf-8")
    status = manual[manual.index(".SH EXIT STATUS") :]
    assert in_readme == ["0", "1", "2", "3", "4"]
    assert set(in_readme) <= set(re.findall(r"^(?:\.B )?(\d)$", status, re.MULTILINE))
