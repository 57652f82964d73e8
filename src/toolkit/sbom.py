# SPDX-License-Identifier: Apache-2.0
"""A bill of materials for each published package: SPDX 2.3 as JSON."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from openssl import source as openssl_source
from toolkit.packages import Source
from toolkit.releases import Release

_NAMESPACE = "https://example.org/tls-bootstrap/spdx"
_MODULE = re.compile(r"python[0-9.]+-tls-bootstrap[-_]\d")


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def has_openssl(path: Path) -> bool:
    """Whether a package holds OpenSSL: the module's do as binary, the source packages as a tarball."""
    return bool(_MODULE.match(path.name)) or (path.name.endswith((".dsc", ".src.rpm")) and "-release-" not in path.name)


def _package(identifier: str, name: str, version: str, sums: dict[str, str], more: dict[str, Any]) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "name": name,
        "versionInfo": version,
        "filesAnalyzed": False,
        "licenseConcluded": "Apache-2.0",
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": algorithm, "checksumValue": value} for algorithm, value in sums.items()],
        **more,
    }


def bill(package: Path, release: Release, source: Source) -> dict[str, Any]:
    """The document of one package file."""
    digest = sha256(package)
    kind = "deb" if release.family == "deb" else "rpm"
    stem = re.match(r"(.+?)[-_](\d.*?)(?:_[a-z0-9]+)?(?:\.[a-z0-9_]+)?\.(?:deb|rpm|dsc)$", package.name)
    name, version = (stem[1], stem[2]) if stem else (package.name, source.version)
    vendor = release.name.split("-")[0] if kind == "deb" else "rhel"
    packages = [_package("SPDXRef-package", name, version, {"SHA256": digest}, {
        "packageFileName": package.name,
        "downloadLocation": "NOASSERTION",
        "supplier": "Organization: tls-bootstrap maintainers",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
            "referenceLocator": f"pkg:{kind}/{vendor}/{name}@{version}",
        }],
    })]  # fmt: skip
    relationships = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-package")]
    if has_openssl(package):
        number = openssl_source.version()
        sums = {"SHA256": openssl_source.expected_sum()}
        packages.append(_package("SPDXRef-openssl", "openssl", number, sums, {
            "downloadLocation": openssl_source.UPSTREAM.format(version=number),
            "supplier": "Organization: The OpenSSL Project",
            "externalRefs": [
                {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                 "referenceLocator": f"pkg:generic/openssl@{number}"},
                {"referenceCategory": "SECURITY", "referenceType": "cpe23Type",
                 "referenceLocator": f"cpe:2.3:a:openssl:openssl:{number}:*:*:*:*:*:*:*"},
            ],
        }))  # fmt: skip
        how = "CONTAINS" if package.name.endswith((".dsc", ".src.rpm")) else "STATIC_LINK"
        relationships.append(("SPDXRef-package", how, "SPDXRef-openssl"))
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": package.name,
        "documentNamespace": f"{_NAMESPACE}/{package.name}-{digest}",
        "creationInfo": {
            "created": f"{source.history[0].moment:%Y-%m-%dT%H:%M:%SZ}",
            "creators": [f"Tool: tls-bootstrap-toolkit-{source.version}", "Organization: tls-bootstrap maintainers"],
        },
        "packages": packages,
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind_of, "relatedSpdxElement": other}
            for one, kind_of, other in relationships
        ],
    }


def _path(package: Path, directory: Path) -> Path:
    return directory / f"{package.name}.spdx.json"


def take_over(package: Path, earlier: Path, directory: Path) -> bool:
    """Put a package's document of the directory ``earlier`` into another; False when it has none of this very content."""
    before = _path(package, earlier)
    if not before.is_file():
        return False
    own = json.loads(before.read_text(encoding="utf-8"))["packages"][0]
    if {"algorithm": "SHA256", "checksumValue": sha256(package)} not in own["checksums"]:
        return False
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(before, _path(package, directory))
    return True


def write(package: Path, release: Release, source: Source, directory: Path) -> Path:
    """Write a package's document as ``directory/NAME.spdx.json``; returns its path."""
    directory.mkdir(parents=True, exist_ok=True)
    target = _path(package, directory)
    target.write_text(json.dumps(bill(package, release, source), indent=1) + "\n", encoding="utf-8")
    return target
