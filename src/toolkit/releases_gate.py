# SPDX-License-Identifier: Apache-2.0
"""The gate before publication: nothing in the repositories needs newer tools than its release has.

Compression of package members, payloads and indexes; checksums; signatures; rpm's own feature requirements; the glibc
of the binaries. The release matrix says what each release's tools read.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import tempfile
import xml.etree.ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolkit import repository
from toolkit.commands import CLEAN_ENVIRONMENT, run
from toolkit.releases import Release

#: rpm's own features that a package asks for -> what the matrix calls them; empty where rpm 4.11 has them.
_RPMLIB = {
    "CompressedFileNames": "", "FileDigests": "", "PayloadFilesHavePrefix": "", "PartialHardlinkSets": "",
    "VersionedDependencies": "", "ScriptletInterpreterArgs": "", "BuiltinLuaScripts": "", "PayloadIsXz": "payload xz",
    "PayloadIsBzip2": "payload bzip2", "PayloadIsZstd": "payload zstd", "TildeInVersions": "rpm tilde versions",
    "CaretInVersions": "rpm caret versions", "RichDependencies": "rpm rich dependencies", "LargeFiles": "rpm large files",
    "DynamicBuildRequires": "rpm dynamic build requires",
}  # fmt: skip

#: OpenPGP numbers (RFC 4880, sections 9.1 and 9.4): RSA, and SHA-256 or stronger.
_RSA = 1
_DIGESTS = {8: "SHA256", 9: "SHA384", 10: "SHA512"}

_DEBIAN_SUFFIX = {".gz": "gz", ".xz": "xz", ".bz2": "bz2", ".zst": "zst", "": "none"}


def _output(*words: str | Path) -> str:
    return run(words, errors_apart=True).output


def _lacks(release: Release, feature: str) -> bool:
    return feature not in release.features


def deb(release: Release, package: Path) -> Iterator[str]:
    """What is wrong with one .deb for its release."""
    for member in _output("ar", "t", package).split():
        kind, _, compression = member.partition(".tar")
        if kind in ("control", "data") and _lacks(release, f"{kind} {_DEBIAN_SUFFIX.get(compression, compression)}"):
            yield f"{member}: its dpkg reads no {compression.lstrip('.') or 'uncompressed'} {kind} member"
    fields = _output("dpkg-deb", "--field", package)
    version = re.search(r"^Version: (.*)$", fields, re.MULTILINE)
    if not version or not version[1].endswith(release.suffix):
        yield f"its version does not end in {release.suffix}"
    for floor in re.findall(r"libc6 \(>= ([0-9.]+)\)", fields):
        if _number(floor) > _number(release.glibc):
            yield f"depends on glibc {floor}, the release has {release.glibc}"


def rpm(release: Release, package: Path) -> Iterator[str]:
    """What is wrong with one .rpm for its release."""
    compressor, release_tag, digest, files = _output(
        "rpm", "-qp", "--queryformat", "%{PAYLOADCOMPRESSOR} %{RELEASE} %{FILEDIGESTALGO} [%{FILENAMES}|]-", package
    ).split(" ", 3)
    if _lacks(release, f"payload {compressor}"):
        yield f"its rpm reads no {compressor} payload"
    if not release_tag.endswith(release.suffix):
        yield f"its release does not end in {release.suffix}"
    # Without the tag they are MD5; a package without files has no digests.
    if digest != "8" and files != "-":
        yield f"file digests are by algorithm {digest}, not SHA-256"
    requires = _output("rpm", "-qp", "--requires", package)
    for name in re.findall(r"rpmlib\((\w+)\)", requires):
        feature = _RPMLIB.get(name)
        if feature is None or (feature and _lacks(release, feature)):
            yield f"asks for rpmlib({name}), which its rpm {release.tools['rpm']} does not have"
    if _lacks(release, "rpm weak dependencies"):
        for kind in ("recommends", "suggests", "supplements", "enhances"):
            if _output("rpm", "-qp", f"--{kind}", package).strip():
                yield f"has {kind}, which its rpm does not know"
    for floor in re.findall(r"\(GLIBC_([0-9.]+)\)", requires):
        if _number(floor) > _number(release.glibc):
            yield f"depends on glibc {floor}, the release has {release.glibc}"
    signature = _output("rpm", "-qp", "--queryformat", "%{RSAHEADER:pgpsig}", package)
    if not signature.startswith("RSA/SHA256") and not signature.startswith("RSA/SHA512"):
        yield f"is not signed by RSA over SHA-256: {signature}"


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def signature(path: Path) -> Iterator[str]:
    """What an old GnuPG could not verify in a signature file."""
    # Of a signed text gpg lists the text alone: give it what stands below.
    content = path.read_bytes()
    armored = content[max(content.find(b"-----BEGIN PGP SIGNATURE-----"), 0) :]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            ["gpg", "--homedir", home, "--batch", "--no-keyring", "--list-packets"],
            input=armored, env=dict(CLEAN_ENVIRONMENT), capture_output=True, check=False,
        )  # fmt: skip
    listing = done.stdout.decode("utf-8", "replace")
    algorithms = [int(number) for number in re.findall(r"^:signature packet: algo (\d+)", listing, re.MULTILINE)]
    digests = [int(number) for number in re.findall(r"digest algo (\d+)", listing)]
    if not algorithms or len(algorithms) != len(digests):
        yield "holds no signature that can be read"
    yield from (f"is signed with public-key algorithm {number}, not RSA" for number in algorithms if number != _RSA)
    yield from (f"is signed over digest {number}, not SHA-256 or stronger" for number in digests if number not in _DIGESTS)


def suite(release: Release, apt: Path) -> Iterator[str]:
    """Everything of one apt suite, each finding with its file."""
    place = apt / "dists" / release.codename
    for name in ("InRelease", "Release.gpg"):
        yield from _named(place / name, apt, signature(place / name))
    text = (place / "Release").read_text(encoding="utf-8")
    if "\nSHA256:\n" not in text:
        yield f"dists/{release.codename}/Release: no SHA-256 sums"
    readable = {"", *(f".{feature.split()[1]}" for feature in release.features if feature.startswith("index "))}
    for name in ("Packages", "Sources"):
        for index in place.rglob(f"{name}*"):
            if index.suffix not in readable:
                yield f"{index.relative_to(apt)}: its apt reads no {index.suffix} index"
    for path in sorted((apt / repository.pool(release)).glob("*.deb")):
        yield from _named(path, apt, deb(release, path))
    package = next(iter(sorted((apt / repository.pool(release)).glob("tls-bootstrap-archive-keyring_*.deb"))), None)
    if package is None:
        yield f"{repository.pool(release)}: no keyring package"
    else:
        yield from _named(package, apt, keyring(release, package))


def keyring(release: Release, package: Path) -> Iterator[str]:
    """What is wrong with a keyring package for its release."""
    text = _output("dpkg-deb", "--contents", package)
    if ".sources" in text and _lacks(release, "deb822 sources"):
        yield "brings a deb822 .sources file, which its apt does not read"
    if "/usr/share/keyrings/" in text and _lacks(release, "signed-by"):
        yield "puts the key where only signed-by finds it, which its apt does not know"
    if re.search(r"\.asc\n", text) and _lacks(release, "armored keys"):
        yield "brings an armored key, which its apt does not read"


def yum(release: Release, directory: Path, top: Path) -> Iterator[str]:
    """Everything of one yum repository, each finding with its file."""
    metadata = directory / "repodata"
    yield from _named(metadata / "repomd.xml.asc", top, signature(metadata / "repomd.xml.asc"))
    tree = xml.etree.ElementTree.parse(metadata / "repomd.xml")
    for element in tree.iter():
        if element.tag.endswith("}location"):
            kind = Path(element.get("href", "")).suffix.lstrip(".")
            if _lacks(release, f"metadata {kind}"):
                yield f"{directory.relative_to(top)}/repodata: its yum reads no {kind} metadata"
        if element.tag.endswith("}checksum") and element.get("type") != "sha256":
            yield f"{directory.relative_to(top)}/repodata: checksums are {element.get('type')}, not sha256"
    for package in sorted(directory.glob("*.rpm")):
        yield from _named(package, top, rpm(release, package))


def _named(path: Path, top: Path, findings: Iterator[str]) -> Iterator[str]:
    return (f"{path.relative_to(top)}: {text}" for text in findings)


def listed_versions(release: Release, top: Path) -> set[str]:
    """The versions of tls-bootstrap that a suite's or repository's index offers."""
    if release.family == "deb":
        place = top / repository.APT / "dists" / release.codename
        text = next(place.rglob("Packages")).read_text(encoding="utf-8")
        return set(re.findall(r"^Package: tls-bootstrap\n(?:.+\n)*?Version: (\S+)$", text, re.MULTILINE))
    found = set()
    for path in (top / repository.YUM / release.codename).glob("*/repodata/*primary.xml.gz"):
        text = gzip.decompress(path.read_bytes()).decode()
        found |= set(re.findall(r'<name>tls-bootstrap</name>\s*<arch>[^<]*</arch>\s*<version [^>]*ver="([^"]+)"', text))
    return found


def lost(release: Release, before: Path, top: Path, kept: int) -> Iterator[str]:
    """Versions that the repositories in ``before`` offer, that are among the newest ``kept``, and that ``top`` does not offer."""
    places = (before / repository.APT / "dists" / release.codename, before / repository.YUM / release.codename)
    if not any(place.is_dir() for place in places):
        return
    offered = listed_versions(release, top)
    everything = offered | listed_versions(release, before)
    newest = sorted(everything, key=lambda version: _number(version.split("-")[0]))[-kept:]
    for version in newest:
        if version not in offered:
            yield f"{release.codename}: version {version} was published and is offered no more"


def findings(top: Path, releases: Sequence[Release]) -> list[str]:
    """All that is wrong with the repositories in ``top``; empty means that they may be published."""
    found: list[str] = []
    for release in releases:
        if release.family == "deb":
            found += suite(release, top / repository.APT)
        else:
            for directory in sorted((top / repository.YUM / release.codename).iterdir()):
                found += yum(release, directory, top)
    return found
