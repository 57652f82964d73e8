# SPDX-License-Identifier: Apache-2.0
"""What `make repo` adds to the repositories: checksums, bills of materials, a page; and that nothing half-done is published."""

import hashlib
import json
import re
import shutil
import subprocess

import pytest
from conftest import WORK
from toolkit import published, publish, releases, releases_gate, repository, sbom, successor
from toolkit.commands import CommandError, run
from toolkit.packages import Source


@pytest.fixture(scope="module")
def complete(built):
    """Repositories of the demo's releases, made as `make repo` makes them."""
    return published.publish(built, WORK / "complete", WORK, WORK / "gnupg", print, finish=publish.complete)


def test_every_file_has_its_checksum_and_the_list_is_signed(complete):
    lines = (complete / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    listed = {line.split("  ", 1)[1] for line in lines}
    there = {str(path.relative_to(complete)) for path in complete.rglob("*") if path.is_file() and "by-hash" not in path.parts}
    assert there - listed == {"SHA256SUMS", "SHA256SUMS.asc"}
    for line in lines:
        digest, name = line.split("  ", 1)
        assert hashlib.sha256((complete / name).read_bytes()).hexdigest() == digest
    keyring = complete / repository.APT / repository.APT_KEY
    verify = ["gpgv", "--keyring", keyring, complete / "SHA256SUMS.asc", complete / "SHA256SUMS"]
    assert run(verify, check=False).status == 0
    changed = WORK / "changed-sums"
    changed.write_text("\n".join([*lines[:-1], lines[-1].replace("a", "b")]))
    assert run([*verify[:-1], changed], check=False).status != 0


def test_the_key_in_the_packages_is_the_one_that_signed(complete):
    (package,) = (complete / "apt" / "pool" / "trixie").glob("tls-bootstrap-archive-keyring_*.deb")
    inside = subprocess.run(
        f"dpkg-deb --fsys-tarfile {package} | tar -xO ./usr/share/keyrings/{repository.APT_KEY}",
        shell=True, check=True, capture_output=True,
    ).stdout  # fmt: skip
    assert inside == (complete / repository.APT / repository.APT_KEY).read_bytes()
    (package,) = (complete / repository.yum_part(releases.by_name("el9"), "x86_64")).glob("tls-bootstrap-release-*.rpm")
    inside = subprocess.run(
        f"rpm2cpio {package} | cpio -i --quiet --to-stdout ./etc/pki/rpm-gpg/{repository.YUM_KEY}",
        shell=True, check=True, capture_output=True,
    ).stdout  # fmt: skip
    assert inside == (complete / repository.YUM / repository.YUM_KEY).read_bytes()
    text = subprocess.run(
        f"rpm2cpio {package} | cpio -i --quiet --to-stdout ./etc/yum.repos.d/tls-bootstrap.repo",
        shell=True, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert text.count("gpgcheck=1\nrepo_gpgcheck=1") == 2
    assert "/yum/el9/$basearch\n" in text


SPDX_ID = re.compile(r"SPDXRef-[A-Za-z0-9.-]+$")


def test_each_package_has_a_bill_of_materials_that_names_openssl_where_it_is(complete):
    packages = publish.packages_in(complete)
    assert packages
    for package in packages:
        document = json.loads((complete / "sbom" / f"{package.name}.spdx.json").read_text(encoding="utf-8"))
        assert (document["spdxVersion"], document["dataLicense"], document["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"])
        known = {"SPDXRef-DOCUMENT"}
        for entry in document["packages"]:
            assert SPDX_ID.match(entry["SPDXID"]) and entry["downloadLocation"] and entry["licenseConcluded"]
            known.add(entry["SPDXID"])
        for relation in document["relationships"]:
            assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= known
        own = document["packages"][0]
        assert own["checksums"][0]["checksumValue"] == hashlib.sha256(package.read_bytes()).hexdigest()
        named = {entry["name"]: entry["versionInfo"] for entry in document["packages"]}
        has_module = bool(re.match(r"python[0-9.]+-tls-bootstrap[-_]\d", package.name))
        assert (named.get("openssl") == Source().openssl_version) == has_module, package.name


def test_bills_of_two_packages_have_different_names(complete):
    spaces = [json.loads(path.read_text())["documentNamespace"] for path in (complete / "sbom").iterdir()]
    assert len(spaces) == len(set(spaces))


def test_the_page_needs_nothing_else_and_names_every_package(complete):
    text = (complete / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|@import|src=", text)
    links = re.findall(r'href="([^"]+)"', text)
    assert not [link for link in links if "://" in link]
    assert all((complete / link).exists() for link in links if not link.startswith("#"))
    for package in publish.packages_in(complete):
        assert package.name in text
    for name in ("bullseye", "trixie", "el8", "el9"):
        assert f'id="{releases.by_name(name).name}"' in text
    assert re.search(r"<code>[0-9A-F]{40}</code>", text)


@pytest.fixture(scope="module")
def following(built):
    """The next version, and its packages for one release."""
    source = successor.make(Source(), WORK / "successor", published.native())
    wanted = [item for item in published.DEMO if item.release.codename == "trixie"]
    return source, published.build_packages(wanted, WORK, print, source)


def add(following, place):
    """Publish the next version of the one release where the earlier of all lies."""
    source, made = following
    return published.publish(made, place, WORK, WORK / "gnupg", print, source=source, finish=publish.complete)


@pytest.fixture(scope="module")
def later(complete, following):
    """The same repositories after the next version was made for one release alone; a bill of the earlier says something known."""
    place = WORK / "later"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(complete, place)
    (bill,) = (place / "sbom").glob("python3-tls-bootstrap_0.1.0-*trixie*")
    bill.write_text(bill.read_text(encoding="utf-8").replace(Source().openssl_version, "3.5.0"), encoding="utf-8")
    return add(following, place)


def test_the_bill_of_an_earlier_version_stays_what_it_was(later):
    def openssl(bill):
        packages = json.loads(bill.read_text(encoding="utf-8"))["packages"]
        return next(entry["versionInfo"] for entry in packages if entry["name"] == "openssl")

    bills = {bill.name.split("_")[1]: openssl(bill) for bill in (later / "sbom").glob("python3-tls-bootstrap_*trixie*")}
    assert len(bills) == 2
    assert {version.startswith("0.1.0-"): number for version, number in bills.items()} == {
        True: "3.5.0", False: Source().openssl_version,
    }  # fmt: skip


def test_an_earlier_version_without_a_bill_is_refused(complete, following, tmp_path):
    place = tmp_path / "later"
    shutil.copytree(complete, place)
    (bill,) = (place / "sbom").glob("python3-tls-bootstrap_0.1.0-*trixie*")
    bill.unlink()
    with pytest.raises(CommandError, match=r"python3-tls-bootstrap_0\.1\.0-\S+: an earlier version that stays"):
        add(following, place)


def test_releases_that_are_not_made_anew_stay_as_they_were(complete, later):
    page = (later / "index.html").read_text(encoding="utf-8")
    sums = (later / "SHA256SUMS").read_text(encoding="utf-8")
    for name in ("bullseye", "el8", "el9"):
        release = releases.by_name(name)
        assert releases_gate.listed_versions(release, later) == releases_gate.listed_versions(release, complete)
        assert f'<h2 id="{release.name}">' in page
        assert release.family == "deb" or f"tls-bootstrap-release-0.1.0-1{release.suffix}.noarch.rpm\n" in page
        before = {path.relative_to(complete): path.read_bytes() for path in complete.rglob(f"{name}/**/*") if path.is_file()}
        assert before and all((later / path).read_bytes() == content for path, content in before.items())
        assert all(f"  {path}\n" in sums for path in before if "by-hash" not in path.parts)
    assert len(releases_gate.listed_versions(releases.by_name("trixie"), later)) == 2


def test_a_release_in_development_stands_behind_those_that_are_served(tmp_path):
    wanted = [releases.in_development()[0], *reversed(releases.at_hand()[:2])]
    made = published.Publication(tmp_path, tmp_path / "none", Source(), "", None, tmp_path, tmp_path / "log", list(wanted))
    made.keep_others()
    assert made.releases == wanted[::-1]


def test_releases_that_another_key_signed_are_not_mixed_with_new_ones(complete, built, tmp_path):
    place = tmp_path / "repo"
    shutil.copytree(complete, place)
    part = {release: path for release, path in built.items() if release.codename == "trixie"}
    with pytest.raises(CommandError, match="another key has signed the releases that stay"):
        published.publish(part, place, WORK, WORK / "gnupg-other", print)


def test_what_the_gate_refuses_is_not_published_and_the_old_stays(complete, built, monkeypatch):
    before = (complete / "SHA256SUMS").read_bytes()
    monkeypatch.setattr(releases_gate, "findings", lambda top, served: ["pool/x.deb: too new"])
    with pytest.raises(CommandError, match=r"(?s)the gate refuses to publish:.*pool/x.deb: too new"):
        published.publish(built, complete, WORK, WORK / "gnupg", print, finish=publish.complete)
    assert (complete / "SHA256SUMS").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["deb", "--release", "el9"], "RELEASE=el9: RHEL 9 has no .deb packages; make rpm makes its own"),
        (["repo", "--release", "xenon"], "RELEASE=xenon: no such release; there are el7"),
    ],
)
def test_a_release_that_cannot_be_is_named(words, complaint, capsys):
    assert publish.main(words) == 2
    assert complaint in capsys.readouterr().err


def test_only_the_newest_versions_stay(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    for version in ("0.8.0", "0.9.0", "0.10.0", "1.0.0"):
        (old / f"tls-bootstrap_{version}-1_all.deb").write_text(version)
    published._keep_older(old, new, "1.0.0")
    assert sorted(path.name for path in new.iterdir()) == ["tls-bootstrap_0.10.0-1_all.deb"]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("python3.11-tls-bootstrap-pip-0.1.0-1.el8.x86_64.rpm", "0.1.0"),
        ("tls-bootstrap_0.1.0-1~ubuntu.14.04~trusty_all.deb", "0.1.0"),
        ("tls-bootstrap_0.1.0.orig-openssl.tar.gz", "0.1.0"),
        ("Packages", ""),
    ],
)
def test_the_version_is_read_from_a_file_name(name, version):
    assert published.version_of(published.Path(name)) == version


def test_a_package_with_openssl_is_told_from_one_without():
    path = published.Path
    assert sbom.has_openssl(path("python3.11-tls-bootstrap-0.1.0-1.el8.x86_64.rpm"))
    assert not sbom.has_openssl(path("python3.11-tls-bootstrap-pip-0.1.0-1.el8.x86_64.rpm"))
    assert not sbom.has_openssl(path("tls-bootstrap-release-0.1.0-1.el9.src.rpm"))
