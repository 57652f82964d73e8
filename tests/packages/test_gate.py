# SPDX-License-Identifier: Apache-2.0
"""What may not be published is found: each feature that is too new for its release, planted into a good repository."""

import gzip
import re
import shutil
import subprocess

import pytest
from conftest import WORK
from toolkit import releases, releases_gate, repository, signing
from toolkit.commands import run

DEBIAN = releases.by_name("bullseye")
TRUSTY = releases.by_name("trusty")
EL7, EL9 = releases.by_name("el7"), releases.by_name("el9")


@pytest.fixture
def copy(published_repositories, tmp_path):
    """The published repositories, to be spoilt."""
    target = tmp_path / "repo"
    shutil.copytree(published_repositories, target)
    return target


def test_what_is_published_passes(published_repositories):
    served = [releases.by_name(name) for name in ("bullseye", "trixie", "el8", "el9")]
    assert releases_gate.findings(published_repositories, served) == []


def rebuilt(package, directory, *options):
    """The package with the same content, packed by dpkg-deb with other options."""
    run(["dpkg-deb", "--raw-extract", package, directory / "tree"])
    target = directory / package.name
    run(["dpkg-deb", "--root-owner-group", *options, "--build", directory / "tree", target])
    return target


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["-Zzstd"], "data.tar.zst: its dpkg reads no zst data member"),
        (["-Zxz"], "control.tar.xz: its dpkg reads no xz control member"),
        (["-Znone"], "data.tar: its dpkg reads no uncompressed data member"),
    ],
)
def test_a_member_that_the_oldest_dpkg_cannot_read_is_found(packages, tmp_path, options, complaint):
    original = next(path for path in packages if path.name.startswith("tls-bootstrap-pip_"))
    assert complaint in list(releases_gate.deb(TRUSTY, rebuilt(original, tmp_path, *options)))


def test_a_package_of_another_release_is_found(packages):
    original = next(path for path in packages if path.name.startswith("tls-bootstrap-pip_"))
    assert list(releases_gate.deb(TRUSTY, original)) == ["its version does not end in ~ubuntu.14.04~trusty"]


def test_a_glibc_that_the_release_does_not_have_is_found(packages, tmp_path):
    original = next(path for path in packages if path.name.startswith("python3-tls-bootstrap_"))
    run(["dpkg-deb", "--raw-extract", original, tmp_path / "tree"])
    control = tmp_path / "tree" / "DEBIAN" / "control"
    control.write_text(control.read_text().replace("libc6 (>= 2.17)", "libc6 (>= 2.38)"))
    run(["dpkg-deb", "--root-owner-group", "--build", tmp_path / "tree", tmp_path / "newer.deb"])
    assert "depends on glibc 2.38, the release has 2.31" in list(releases_gate.deb(DEBIAN, tmp_path / "newer.deb"))


SPEC = """Name: planted
Version: 1{caret}
Release: 1.el7
Summary: What an old rpm cannot read
License: MIT
BuildArch: noarch
{lines}
%description
x
%install
mkdir %{{buildroot}}/usr
touch %{{buildroot}}/usr/planted
%files
/usr/planted
"""


def planted_rpm(directory, lines="", caret="", *options):
    """An unsigned package for EL 7 with these lines in its preamble."""
    spec = directory / "planted.spec"
    spec.write_text(SPEC.format(lines=lines, caret=caret))
    run(["rpmbuild", "-bb", "--define", f"_topdir {directory}", *options, spec])
    return next(directory.rglob("*.rpm"))


@pytest.mark.parametrize(
    ("lines", "caret", "options", "complaint"),
    [
        ("", "", ["--define", "_binary_payload w3.zstdio"], "its rpm reads no zstd payload"),
        ("Recommends: bash", "", [], "has recommends, which its rpm does not know"),
        ("Requires: (bash if dash)", "", [], "asks for rpmlib(RichDependencies), which its rpm 4.11 does not have"),
        ("", "^git1", [], "asks for rpmlib(CaretInVersions), which its rpm 4.11 does not have"),
        ("Requires: libc.so.6(GLIBC_2.28)(64bit)", "", [], "depends on glibc 2.28, the release has 2.17"),
        ("", "", ["--define", "_binary_filedigest_algorithm 1"], "file digests are by algorithm (none), not SHA-256"),
        ("", "", ["--define", "dist .el9"], "is not signed by RSA over SHA-256: (none)"),
    ],
)
def test_what_the_oldest_rpm_cannot_read_is_found(tmp_path, lines, caret, options, complaint):
    assert complaint in list(releases_gate.rpm(EL7, planted_rpm(tmp_path, lines, caret, *options)))


def test_an_index_that_the_oldest_apt_cannot_read_is_found(copy):
    index = copy / repository.APT / "dists" / "bullseye" / "main" / "binary-amd64"
    (index / "Packages.zst").write_bytes(b"")
    assert "dists/bullseye/main/binary-amd64/Packages.zst: its apt reads no .zst index" in releases_gate.findings(copy, [DEBIAN])


def test_metadata_that_the_oldest_yum_cannot_read_is_found(copy):
    directory = copy / repository.yum_part(EL9, "x86_64")
    run(["createrepo_c", "--quiet", "--checksum", "sha1", "--no-database", directory])
    metadata = directory / "repodata" / "repomd.xml"
    metadata.write_text(metadata.read_text().replace("primary.xml.gz", "primary.xml.zst"))
    shutil.copy(copy / repository.yum_part(releases.by_name("el8"), "x86_64") / "repodata" / "repomd.xml.asc", metadata.parent)
    found = list(releases_gate.yum(EL7, directory, copy))
    assert any("its yum reads no zst metadata" in line for line in found), found
    assert any("checksums are sha" in line and "not sha256" in line for line in found), found


PARAMETERS = """%no-protection
Key-Type: EDDSA
Key-Curve: ed25519
Key-Usage: sign
Name-Real: too new
Expire-Date: 0
%commit
"""


def test_a_key_that_the_oldest_tools_cannot_use_is_found(copy, monkeypatch):
    monkeypatch.setattr(signing, "_PARAMETERS", PARAMETERS + "# {name}\n")
    shutil.rmtree(WORK / "gnupg-new", ignore_errors=True)
    place = copy / repository.APT / "dists" / "bullseye"
    with signing.Key.open(WORK / "gnupg-new", "too new", WORK / "other-key.log") as key:
        key.sign_clear(place / "Release", place / "InRelease")
    found = releases_gate.findings(copy, [DEBIAN])
    assert "dists/bullseye/InRelease: is signed with public-key algorithm 22, not RSA" in found


def test_a_weak_digest_is_found(copy, tmp_path):
    place = copy / repository.APT / "dists" / "bullseye"
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    words = ["gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]
    run([*words, "--quick-generate-key", "weak", "rsa2048", "sign", "never"])
    run([*words, "--yes", "--weak-digest", "MD5", "--digest-algo", "SHA1", "--armor", "--output", place / "Release.gpg",
         "--detach-sign", place / "Release"])  # fmt: skip
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
    found = releases_gate.findings(copy, [DEBIAN])
    assert "dists/bullseye/Release.gpg: is signed over digest 2, not SHA-256 or stronger" in found


def test_a_suite_without_its_keyring_is_found(copy):
    next((copy / repository.APT / repository.pool(DEBIAN)).glob("tls-bootstrap-archive-keyring_*")).unlink()
    assert "pool/bullseye: no keyring package" in releases_gate.findings(copy, [DEBIAN])


def test_a_keyring_in_the_form_of_newer_releases_is_found(copy):
    """14.04's apt reads neither .sources nor signed-by: its package must not be like 16.04's."""
    package = next((copy / repository.APT / repository.pool(DEBIAN)).glob("tls-bootstrap-archive-keyring_*"))
    found = list(releases_gate.keyring(TRUSTY, package))
    assert any("deb822" in line for line in found) and any("signed-by" in line for line in found)


def test_the_indexes_name_the_versions_that_are_there(published_repositories):
    assert {version.split("-")[0] for version in releases_gate.listed_versions(DEBIAN, published_repositories)} == {"0.1.0"}
    (index,) = (published_repositories / repository.yum_part(EL9, "x86_64")).rglob("*primary.xml.gz")
    assert re.search(rb'ver="0.1.0"', gzip.decompress(index.read_bytes()))


def index_of(top, *versions):
    """An apt suite's index that offers some versions, or none."""
    place = top / repository.APT / "dists" / DEBIAN.codename / "main" / "binary-amd64"
    place.mkdir(parents=True)
    text = "\n".join(f"Package: tls-bootstrap\nSection: admin\nVersion: {version}-1{DEBIAN.suffix}\n" for version in versions)
    (place / "Packages").write_text(text)
    return top


def test_a_version_that_is_offered_no_more_is_found(tmp_path):
    before = index_of(tmp_path / "before", "0.8.0", "0.9.0", "0.10.0")
    kept = index_of(tmp_path / "kept", "0.10.0", "0.11.0")
    assert list(releases_gate.lost(DEBIAN, before, kept, 2)) == []
    lost = index_of(tmp_path / "lost", "0.11.0")
    assert list(releases_gate.lost(DEBIAN, before, lost, 2)) == [
        f"bullseye: version 0.10.0-1{DEBIAN.suffix} was published and is offered no more"
    ]
    assert list(releases_gate.lost(DEBIAN, tmp_path / "never", lost, 2)) == []
