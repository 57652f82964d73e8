# SPDX-License-Identifier: Apache-2.0
"""The release matrix: it can be read, it is what the other files say, and Debian's roots bear it out."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import WORK
from toolkit import packages as building
from toolkit import packages_debian, packages_rpm, releases, releases_facts, releases_mock, roots
from toolkit.releases import TOP, MatrixError

DATA = Path(releases.__file__).with_name("releases.json").read_text(encoding="utf-8")


def changed(**fields):
    """The data with other fields in its first release; None removes one."""
    data = json.loads(DATA)
    row = data["releases"][0]
    for name, value in fields.items():
        if value is None:
            del row[name]
        else:
            row[name] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON with a list 'releases'"),
        (changed(colour="red"), "el7: unknown field colour"),
        (changed(openssl=None), "el7: field missing or of another form"),
        (changed(family="apk"), "el7: family 'apk' is neither deb nor rpm"),
        (changed(glibc="2.12"), "el7: glibc 2.12 is older than the portable binaries need"),
        (changed(support=[["maintenance", "soon"]]), "el7: support ends 'soon'"),
        (changed(codename="el8"), "two releases have the codename el8"),
        (changed(debhelper=9), "el7: debhelper and standards belong to deb releases"),
        (changed(unconfirmed=["pip"]), "el7: each of gcc, glibc, openssl, pip, pythons, support, tools belongs into one of seen"),
        (changed(seen=["pip"], read=["gcc", "glibc", "openssl", "pythons", "support", "tools"]), "el7: seen where?"),
    ],
)
def test_what_cannot_be_is_refused_by_name(text, complaint):
    with pytest.raises(MatrixError, match=re.escape(complaint)):
        releases.parse(text)


def test_all_releases_that_the_project_promises_are_there():
    names = {release.name for release in releases.matrix()}
    promised = {f"el{number}" for number in (7, 8, 9, 10)} | {f"ubuntu-{year}.04" for year in range(14, 27, 2)}
    assert promised < names


def test_what_packages_depend_on_is_the_same_text_in_every_process():
    """It is part of the cache's key: a text with a set in it would be another in each, and nothing would ever be found."""
    program = "from toolkit import releases; print(releases.by_name('trixie').substance)"
    texts = set()
    for seed in ("1", "2", "3"):
        environment = {"PYTHONPATH": str(TOP / "src"), "PYTHONHASHSEED": seed}
        texts.add(subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=True).stdout)
    assert len(texts) == 1
    known = releases.by_name("trixie")
    assert dataclasses.replace(known, shown="2030-01-01").substance == known.substance
    assert dataclasses.replace(known, features=frozenset({"data gz"})).substance != known.substance


def test_an_unknown_release_is_told_with_those_that_there_are():
    with pytest.raises(MatrixError, match=r"RELEASE=el6: no such release; there are el7, el8"):
        releases.by_name("el6")


def test_the_table_of_the_readme_is_the_matrix():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    assert releases.with_table(readme) == readme, "run make matrix README=1"


def test_a_readme_without_the_marks_is_refused():
    with pytest.raises(MatrixError, match="README.md: the lines"):
        releases.with_table("# tls-bootstrap\n")


def test_the_spec_has_the_stacks_of_the_matrix():
    spec = (TOP / "rpm" / packages_rpm.SPEC).read_text(encoding="utf-8")
    assert packages_rpm.with_matrix(spec) == spec, "run make control"


def test_the_committed_control_is_the_newest_releases():
    debian = TOP / "debian"
    made = packages_debian.control((debian / "control.in").read_text(encoding="utf-8"), releases.newest_debian())
    assert (debian / "control").read_text(encoding="utf-8") == made, "run make control"


def test_the_mock_configurations_are_those_of_the_matrix():
    there = {path: path.read_text(encoding="utf-8") for path in releases_mock.DIRECTORY.glob("*.cfg")}
    assert there == releases_mock.files(), "run make control"


def test_without_mock_it_is_said_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr(releases_mock.shutil, "which", lambda name: None)
    assert releases_mock.main(["el9", "--arch", "x86_64"]) == 3
    assert "dnf install mock mock-core-configs" in capsys.readouterr().err
    assert releases_mock.main(["el9", "--arch", "mips"]) == 2
    assert "ARCH=mips: RHEL 9 is served for x86_64 and aarch64" in capsys.readouterr().err


MACROS = Path(__file__).with_name("enterprise_macros")
SPEC = TOP / "rpm" / packages_rpm.SPEC


def macros_of(release):
    """Options that make rpm's tools read what a builder of the release defines, behind rpm's own."""
    # rpm itself defines it since long; Enterprise Linux 7 does not.
    return ["--undefine=set_build_flags", f"--load={MACROS / release.codename}"]


def test_the_macro_sets_are_those_of_four_different_builders(packages_tools):
    names = ("rhel", "dist", "__python3", "python3_version", "optflags", "build_ldflags", "set_build_flags", "_binary_payload")
    values = {}
    for release in releases.of_family("rpm"):
        words = [word for name in names for word in ("--eval", f"%{{?{name}}}")]
        values[release.codename] = packages_tools("rpm", *macros_of(release), *words)
        assert values[release.codename].splitlines()[:2] == [release.number, release.suffix]
    assert len(set(values.values())) == len(releases.of_family("rpm")) == len(list(MACROS.iterdir()))


@pytest.mark.parametrize("release", releases.of_family("rpm"), ids=lambda release: release.codename)
@pytest.mark.parametrize("option", ["--with=bundled_openssl", "--without=bundled_openssl"])
def test_the_spec_parses_for_every_release_and_flavour(release, option, packages_tools):
    """By rpm's own parser, with the macros of that release's builders."""
    text = packages_tools("rpmspec", "-P", option, *macros_of(release), SPEC)
    names = packages_tools("rpmspec", "-q", option, *macros_of(release), "--queryformat", "%{NAME}\n", SPEC).split()
    stacks = {f"{stack.id}-tls-bootstrap{part}" for stack in release.stacks for part in ("", "-pip")}
    assert set(names) == stacks | {"tls-bootstrap", "tls-bootstrap-pip"}
    bundled = option.startswith("--with=")
    assert ("Provides: bundled(openssl)" in text) == bundled
    assert ("openssl-devel" in text) != bundled
    assert ("BuildRequires:  perl(FindBin)" in text) == bundled
    assert not re.search(r"%\{\??[a-z]", text), "a macro of ours was not expanded"
    assert f"#!{release.command_python} -Es" in text
    # The release's own flags, hardened where that has to be asked for.
    assert "-specs=/usr/lib/rpm/redhat/redhat-hardened-cc1" in text
    assert ("-Wp,-D_GLIBCXX_ASSERTIONS" in text) == (release.codename != "el7")
    # What rpm 4.11 does not know.
    assert ("Recommends:" in text) == ("rpm weak dependencies" in release.features)
    assert not re.search(r"^Requires: *\(", text, re.MULTILINE) or "rpm rich dependencies" in release.features
    # None of the builder's scripts that rewrite what was tested.
    assert "/usr/lib/rpm/redhat/brp-" not in text and "/usr/lib/rpm/brp-python" not in text


@pytest.fixture(scope="module")
def spec_sources(tmp_path_factory):
    """A rpmbuild tree with the spec as it is published and its two sources."""
    top = tmp_path_factory.mktemp("rpmbuild")
    source = building.Source()
    for name in ("SOURCES", "SPECS", "SRPMS"):
        (top / name).mkdir()
    source.archive(top / "SOURCES" / f"tls-bootstrap-{source.version}.tar.gz")
    shutil.copy(building.openssl_tarball(), top / "SOURCES" / f"openssl-{source.openssl_version}.tar.gz")
    (top / "SPECS" / packages_rpm.SPEC).write_text(packages_rpm.spec_text(source), encoding="utf-8")
    return top


@pytest.mark.parametrize("release", releases.of_family("rpm"), ids=lambda release: release.codename)
def test_a_source_package_is_made_with_every_releases_macros(release, packages_tools, spec_sources):
    words = ["-bs", "--nodeps", *macros_of(release), "--define", f"_topdir {spec_sources}"]
    packages_tools("rpmbuild", *words, spec_sources / "SPECS" / packages_rpm.SPEC)
    (made,) = (spec_sources / "SRPMS").glob(f"*{release.suffix}.src.rpm")
    inside = packages_tools("rpm", "-qpl", made).split()
    openssl = f"openssl-{building.Source().openssl_version}.tar.gz"
    assert inside == [openssl, f"tls-bootstrap-{building.Source().version}.tar.gz", packages_rpm.SPEC]
    # Payload and digests that the oldest reads, whatever the builder's own are.
    assert packages_tools("rpm", "-qp", "--queryformat", "%{PAYLOADCOMPRESSOR} %{FILEDIGESTALGO}", made) == "gzip 8"
    needed = packages_tools("rpm", "-qp", "--requires", made)
    assert {stack.devel for stack in release.stacks} <= set(needed.split())


def test_a_builder_that_the_matrix_does_not_know_has_one_stack(packages_tools):
    """As Fedora, by its macros alone."""
    words = ["--define", "__python3 /usr/bin/python3", "--define", "python3_version 3.14", "--define", "dist .fc44"]
    names = packages_tools("rpmspec", "-q", *words, "--queryformat", "%{NAME}\n", SPEC).split()
    assert set(names) == {"tls-bootstrap", "tls-bootstrap-pip", "python3-tls-bootstrap", "python3-tls-bootstrap-pip"}


def test_the_makefile_has_a_verb_for_each_release():
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    (line,) = re.findall(r"^releases = (.*)$", makefile, re.MULTILINE)
    assert line.split() == [release.name for release in releases.matrix()]


def test_suffixes_sort_with_the_releases(packages_tools):
    """An upgrade of the distribution upgrades the package, whatever was installed before."""
    for vendor in ("ubuntu", "debian"):
        suffixes = [release.suffix for release in releases.of_family("deb") if release.name.startswith(vendor)]
        for older, newer in zip(suffixes, suffixes[1:]):
            packages_tools("dpkg", "--compare-versions", f"0.1.0-1{older}", "lt", f"0.1.0-1{newer}")
        # A package from the distribution's own archive is newer than ours of the same version.
        packages_tools("dpkg", "--compare-versions", f"0.1.0-1{suffixes[-1]}", "lt", "0.1.0-1")


@pytest.mark.parametrize("codename", ["bullseye", "trixie"])
def test_what_the_matrix_says_of_debian_is_what_its_root_says(codename, as_root):
    release = releases.by_name(codename)
    log = WORK / f"matrix-{codename}.log"
    root = roots.unpack(roots.OF_SUITE[codename], WORK / "roots" / f"matrix-{codename}", log)
    try:
        assert releases_facts.wrong_in_root(release, root) == {}
        other = dataclasses.replace(release, openssl="0.9.8")
        assert list(releases_facts.wrong_in_root(other, root)) == ["openssl"]
    finally:
        root.remove()


def test_what_is_shown_is_shown_where_there_is_a_stand_in():
    """The life cycle installs every release that has one (tests/life_cycle/test_managers.py)."""
    for release in releases.matrix():
        assert bool(release.shown) == bool(release.stand_in), release.name
        assert release.proof.startswith("installed" if release.stand_in else "built")
