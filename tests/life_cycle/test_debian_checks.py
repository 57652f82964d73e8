# SPDX-License-Identifier: Apache-2.0
"""The reviewer's tools are really asked: packages that are spoilt on purpose are refused by each of them."""

import pytest
from toolkit import debian_checks, packages, packages_debian, published, releases
from toolkit.commands import run

RELEASE = releases.by_name("debian-12")
#: Runs as root when the package is configured, and forgets what it made.
CARELESS = "#!/bin/sh\nset -e\n: > /usr/share/left-behind\n"


@pytest.fixture(scope="module")
def good(work):
    """Name -> the published package of the release."""
    wanted = [published.Wanted(RELEASE, (published.native(),))]
    (place,) = published.build_packages(wanted, work, print).values()
    return {path.name.split("_")[0]: path for path in place.glob("*.deb")}


@pytest.fixture
def log(work, request):
    path = work / f"{request.node.name}.log"
    path.unlink(missing_ok=True)
    return path


def spoilt(package, directory, change):
    """The package packed again after a change to its files."""
    tree = directory / "spoilt"
    run(["dpkg-deb", "--raw-extract", package, tree])
    change(tree)
    target = directory / package.name
    run(["dpkg-deb", "--root-owner-group", "--build", tree, target])
    return target


def test_piuparts_refuses_a_package_that_leaves_a_file(good, tmp_path, log):
    def change(tree):
        script = tree / "DEBIAN" / "postinst"
        script.write_text(CARELESS)
        script.chmod(0o755)

    package = spoilt(good["tls-bootstrap"], tmp_path, change)
    with pytest.raises(debian_checks.Refused, match=r"(?s)piuparts on Debian 12.*/usr/share/left-behind"):
        debian_checks.piuparts(RELEASE, [package], "", log)


def test_autopkgtest_refuses_a_module_that_does_not_work(good, tmp_path, log):
    def change(tree):
        next(tree.rglob("_tls_bootstrap/_names.py")).write_text("raise SystemExit(7)\n")

    files = {**good, "python3-tls-bootstrap": spoilt(good["python3-tls-bootstrap"], tmp_path, change)}
    tree = packages_debian.source_tree(packages.Source(), tmp_path / "tree", RELEASE)
    with pytest.raises(debian_checks.Refused, match=r"autopkgtest check on Debian 12: check +FAIL"):
        debian_checks.autopkgtest(RELEASE, tree, list(files.values()), log)


def test_lintian_refuses_what_no_override_explains(good, tmp_path, log):
    def change(tree):
        (tree / "usr" / "local").mkdir()
        (tree / "usr" / "local" / "stray").write_text("stray\n")

    package = spoilt(good["tls-bootstrap"], tmp_path, change)
    with pytest.raises(debian_checks.Refused, match=r"E: tls-bootstrap: file-in-usr-local"):
        debian_checks.lintian(RELEASE, [package], log)


def test_what_was_not_built_is_told(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(debian_checks.packages_clean, "target", lambda release, flavour: debian_checks.TOP / "dist" / "nothing")
    assert debian_checks.main(["--release", "debian-12", "--flavour", "system"]) == 2
    assert "run make pbuilder RELEASE=debian-12 FLAVOUR=system first" in capsys.readouterr().err
    assert debian_checks.main(["--release", "ubuntu-14.04"]) == 2
    assert "clean roots are at hand for debian-11 debian-12 debian-13 debian-sid only" in capsys.readouterr().err
