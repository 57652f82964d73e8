# SPDX-License-Identifier: Apache-2.0
"""Distributions' own checkers accept every published package of every release and machine, and need all that excuses it."""

import re

import pytest
from toolkit import releases, repository
from toolkit.commands import run
from toolkit.releases import TOP

CONFIGURATION = TOP / "rpm" / "tls-bootstrap.rpmlintrc.toml"
FINDING = re.compile(r"^\S+: [EW]: .*", re.MULTILINE)


def groups(repositories, codename):
    """What is checked together: the binary packages of a machine, and each source package, which has a spec of its own."""
    release = releases.by_name(codename)
    for machine in release.architectures:
        yield sorted((repositories / repository.yum_part(release, machine)).glob("*.rpm"))
    for package in sorted((repositories / repository.yum_part(release, repository.SOURCE)).glob("*.rpm")):
        yield [package]


def said(configuration, packages):
    return FINDING.findall(run(["rpmlint", "--config", configuration, *packages], check=False).output)


@pytest.mark.parametrize("codename", [release.codename for release in releases.of_family("rpm")])
def test_rpmlint_has_nothing_to_say_that_no_filter_explains(codename, repositories):
    found = list(groups(repositories, codename))
    assert len(found) == 2 + 2 and all(found), "two machines and two source packages"
    assert [line for group in found for line in said(CONFIGURATION, group)] == []


def test_every_filter_of_rpmlint_is_needed(repositories, tmp_path):
    text = CONFIGURATION.read_text(encoding="utf-8")
    filters = [line.replace("\\\\", "\\") for line in re.findall(r'^    "(.*)",$', text, re.MULTILINE)]
    assert len(filters) == len(re.findall(r'^ +"', text, re.MULTILINE)) > 10
    (tmp_path / "none.toml").write_text('CompressExtension = "gz"\n')
    codenames = ("el7", "el8")
    lines = [line for name in codenames for group in groups(repositories, name) for line in said(tmp_path / "none.toml", group)]
    assert [wanted for wanted in filters if not any(re.search(wanted, line) for line in lines)] == []


@pytest.mark.parametrize("codename", [release.codename for release in releases.of_family("deb")])
def test_lintian_has_nothing_to_say_that_no_override_explains(codename, repositories):
    packages = sorted((repositories / repository.APT / repository.pool(releases.by_name(codename))).glob("*.deb"))
    assert packages
    words = ["lintian", "--allow-root", "--pedantic", "--fail-on", "warning", "--tag-display-limit", "0", *packages]
    done = run(words, check=False, timeout=900)
    assert (done.status, re.findall(r"^[EWP]: .*", done.output, re.MULTILINE)) == (0, [])
