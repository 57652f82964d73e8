# SPDX-License-Identifier: Apache-2.0
"""apt and dnf refuse packages and repositories that are not what was signed."""

import gzip
import re
import shutil

import pytest
from conftest import WORK
from toolkit import repository
from toolkit.signing import Key

#: The repository of each manager, below what is served.
PARTS = {"apt": repository.APT, "dnf": repository.YUM}


def flip_last_bytes(path):
    """Change a file without changing its size."""
    content = bytearray(path.read_bytes())
    content[-64:] = bytes(byte ^ 0xFF for byte in content[-64:])
    path.write_bytes(content)


def packages_of(place):
    """Every copy of the package that each installation needs first."""
    return [path for path in place.rglob("*") if re.match(r"python3-tls-bootstrap[-_]0.*\.(deb|rpm)$", path.name)]


def tampered_package(place, key):
    for path in packages_of(place):
        flip_last_bytes(path)


def replaced_package(place, key):
    """A package of the same name that nobody signed; what the index says of it is right for dnf alone."""
    for path in packages_of(place):
        shutil.copy(next(iter(path.parent.glob("tls-bootstrap[-_]0*"))), path)


def tampered_index(place, key):
    """The list of packages says something else than when it was signed."""
    for path in place.rglob("Packages"):
        changed = path.read_bytes().replace(b"Priority: optional", b"Priority: required")
        assert changed != path.read_bytes()
        path.write_bytes(changed)
        path.with_name("Packages.gz").write_bytes(gzip.compress(changed))
        path.with_name("Packages.xz").unlink()
        shutil.rmtree(path.with_name("by-hash"))
    for path in place.rglob("*primary.xml.gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"tls-bootstrap", b"tls-bootstrop")))


def tampered_release(place, key):
    """The signed file itself was changed after signing."""
    for path in [*place.rglob("InRelease"), *place.rglob("Release")]:
        path.write_text(path.read_text().replace("Origin: tls-bootstrap", "Origin: someone-else"))
    for path in place.rglob("repomd.xml"):
        path.write_text(path.read_text().replace("<revision>", "<revision>9"))


def signature_missing(place, key):
    for pattern in ("InRelease", "Release.gpg", "repomd.xml.asc"):
        for path in place.rglob(pattern):
            path.unlink()


def signed_by_another(place, key):
    """A whole, consistent repository of somebody else; the administrator's key stays ours."""
    for path in place.rglob("Release"):
        key.sign_clear(path, path.with_name("InRelease"))
        key.sign_detached(path, path.with_name("Release.gpg"))
    for path in place.rglob("repomd.xml"):
        key.sign_detached(path, path.with_name("repomd.xml.asc"))


def unsigned_rpm(place, key):
    """The repository is in order, the packages in it carry no signature."""
    for path in place.rglob("*.rpm"):
        key.unsign_rpm(path)


def rpm_signed_by_another(place, key):
    key.sign_rpms(list(place.rglob("*.rpm")))


#: What each manager says of each (apt verifies packages by the signed index alone); a refusal for another reason
#: would prove nothing.
REASONS = {
    ("apt", tampered_package): "Hash Sum mismatch",
    ("apt", replaced_package): "File has unexpected size",
    ("apt", tampered_index): "Hash Sum mismatch|File has unexpected size",
    ("apt", tampered_release): "signatures were invalid: BADSIG",
    ("apt", signature_missing): "The repository '.*' is not signed",
    ("apt", signed_by_another): "public key is not available: NO_PUBKEY",
    ("dnf", tampered_package): "python3-tls-bootstrap-0.*checksum doesn't match",
    ("dnf", replaced_package): "python3-tls-bootstrap-0.*expected size is",
    ("dnf", tampered_index): "Downloading successful, but checksum doesn't match",
    ("dnf", tampered_release): "repomd.xml GPG signature verification error: Bad GPG signature",
    ("dnf", signature_missing): "GPG verification is enabled, but GPG signature is not available",
    ("dnf", signed_by_another): "repomd.xml GPG signature verification error: Bad GPG signature",
    ("dnf", unsigned_rpm): "Package python3-tls-bootstrap-0.* is not signed",
    ("dnf", rpm_signed_by_another): "Public key for python[23]-tls-bootstrap-0.* is not installed",
}


@pytest.fixture(scope="module")
def other_key():
    with Key.open(WORK / "gnupg-other", "somebody else", WORK / "other-key.log") as key:
        yield key


def attempt(system, place, key_directory):
    """Add the repository, refresh, install; the output up to where it was refused, and whether it was."""
    with repository.served(place) as url:
        system.manager.add_repository(key_directory, url)
        try:
            done = system.manager.refresh(check=False)
            output = done.output
            if done.status == 0:
                done = system.manager.install(system.names, check=False)
                output += done.output
            return done.status, output
        finally:
            system.manager.remove_repository()
            system.manager.forget()


def test_the_untouched_repository_is_accepted(system, published_repositories):
    status, output = attempt(system, published_repositories, published_repositories)
    assert status == 0, output
    assert set(system.names) < set(system.manager.installed())
    system.manager.remove(system.names)
    assert system.manager.installed() == []


@pytest.mark.parametrize(("system", "tamper"), REASONS, indirect=["system"], ids=lambda value: getattr(value, "__name__", value))
def test_what_was_tampered_with_is_refused(system, tamper, published_repositories, other_key, tmp_path):
    place = tmp_path / "repo"
    shutil.copytree(published_repositories, place)
    tamper(place / PARTS[system.manager.name], other_key)
    if tamper in (unsigned_rpm, rpm_signed_by_another):
        with Key.open(WORK / "gnupg", "tls-bootstrap test key", WORK / "repositories.log") as key:
            for metadata in sorted(place.rglob("repodata")):
                repository.index_yum(metadata.parent, key, WORK / "repositories.log")
    status, output = attempt(system, place, published_repositories)
    assert status != 0, output
    assert re.search(REASONS[system.manager.name, tamper], output), output
    assert system.manager.installed() == []
