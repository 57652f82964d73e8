# SPDX-License-Identifier: Apache-2.0
"""The release matrix: it can be read, it is what the other files say, and Debian's roots bear it out."""

import json
import re
from pathlib import Path

import pytest
from conftest import WORK
from toolkit import packages_debian, packages_rpm, releases, releases_mock, roots
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
    ],
)
def test_what_cannot_be_is_refused_by_name(text, complaint):
    with pytest.raises(MatrixError, match=re.escape(complaint)):
        releases.parse(text)


def test_all_releases_that_the_project_promises_are_there():
    names = {release.name for release in releases.matrix()}
    promised = {f"el{number}" for number in (7, 8, 9, 10)} | {f"ubuntu-{year}.04" for year in range(14, 27, 2)}
    assert promised < names


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


@pytest.mark.parametrize("release", releases.of_family("rpm"), ids=lambda release: release.codename)
@pytest.mark.parametrize("option", ["--with=bundled_openssl", "--without=bundled_openssl"])
def test_the_spec_parses_for_every_release_and_flavour(release, option, packages_tools):
    """By rpm's own parser, with the macros that distinguish the releases; their other macros are not at hand here."""
    spec = TOP / "rpm" / packages_rpm.SPEC
    macros = ["--define", f"rhel {release.number}", "--define", f"dist {release.suffix}", "--define", "_libdir /usr/lib64"]
    text = packages_tools("rpmspec", "-P", option, *macros, spec)
    names = packages_tools("rpmspec", "-q", option, *macros, "--queryformat", "%{NAME}\n", spec).split()
    stacks = {f"{stack.id}-tls-bootstrap{part}" for stack in release.stacks for part in ("", "-pip")}
    assert set(names) == stacks | {"tls-bootstrap", "tls-bootstrap-pip"}
    bundled = option.startswith("--with=")
    assert ("Provides: bundled(openssl)" in text) == bundled
    assert ("openssl-devel" in text) != bundled
    assert not re.search(r"%\{\??[a-z]", text), "a macro of ours was not expanded"


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


STAND_INS = {"bullseye": roots.BULLSEYE, "trixie": roots.TRIXIE}
QUESTIONS = {
    "python3": ("python3 --version", r"Python (\S+)"),
    "openssl": ("python3 -c 'import ssl; print(ssl.OPENSSL_VERSION)'", r"OpenSSL (\S+)"),
    "glibc": ("ldd --version", r"ldd .* (\S+)\n"),
    "apt": ("apt-get --version", r"apt (\S+)"),
    "dpkg": ("dpkg --version", r"version (\S+)"),
    "pip": ("pip3 --version", r"pip (\S+)"),
}


@pytest.mark.parametrize("codename", sorted(STAND_INS))
def test_what_the_matrix_says_of_debian_is_what_its_root_says(codename, as_root):
    release = releases.by_name(codename)
    log = WORK / f"matrix-{codename}.log"
    root = roots.unpack(STAND_INS[codename], WORK / "roots" / f"matrix-{codename}", log)
    try:
        answers = {}
        for name, (command, pattern) in QUESTIONS.items():
            answers[name] = re.search(pattern, root.run(["sh", "-c", command]).output)[1]
    finally:
        root.remove()
    said = {
        "python3": release.system_python3.release, "openssl": release.openssl, "glibc": release.glibc,
        "apt": release.tools["apt"], "dpkg": release.tools["dpkg"], "pip": release.system_python3.pip,
    }  # fmt: skip
    wrong = {name: (text, answers[name]) for name, text in said.items() if not answers[name].startswith(text.split()[0])}
    assert wrong == {}
