# SPDX-License-Identifier: Apache-2.0
"""Signed apt and yum repositories as static files, and a plain-http server for them."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import http.server
import lzma
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolkit.commands import run
from toolkit.releases import Release
from toolkit.signing import Key

#: Where the repositories lie below the served directory.
APT = "apt"
YUM = "yum"

#: File names of the public key: binary for apt, armored for rpm.
APT_KEY = "tls-bootstrap-archive-keyring.gpg"
YUM_KEY = "RPM-GPG-KEY-tls-bootstrap"

#: Directory of the source packages beside those of the machines.
SOURCE = "source"

_ORIGIN = "tls-bootstrap"
_SOURCE_FILES = (".dsc", ".tar.gz", ".tar.xz")


def pool(release: Release) -> str:
    """Where a deb release's packages lie, below the apt repository."""
    return f"pool/{release.codename}"


def yum_part(release: Release, machine: str) -> str:
    """Where an rpm release's packages for a machine (or SOURCE) lie, below the served directory."""
    return f"{YUM}/{release.codename}/{machine}"


def _write_by_hash(path: Path, content: bytes) -> None:
    """An index under its name and under its digest: a client never meets a mix of two generations."""
    path.write_bytes(content)
    named = path.parent / "by-hash" / "SHA256" / hashlib.sha256(content).hexdigest()
    named.parent.mkdir(parents=True, exist_ok=True)
    named.write_bytes(content)


def _write_index(directory: Path, name: str, listing: bytes) -> None:
    directory.mkdir(parents=True)
    _write_by_hash(directory / name, listing)
    _write_by_hash(directory / f"{name}.gz", gzip.compress(listing, mtime=0))
    _write_by_hash(directory / f"{name}.xz", lzma.compress(listing))


def index_suite(directory: Path, release: Release, architectures: Sequence[str], key: Key, log: Path) -> None:
    """Write the indexes of one suite from its pool: by-hash, InRelease and Release.gpg.

    ``directory`` is the apt repository; the pool may hold several versions, all are listed.
    """
    place = directory / "dists" / release.codename
    for architecture in architectures:
        words = ["apt-ftparchive", "--arch", architecture, "packages", pool(release)]
        listing = run(words, directory=directory, log=log, errors_apart=True).output.encode()
        _write_index(place / "main" / f"binary-{architecture}", "Packages", listing)
    if any((directory / pool(release)).glob("*.dsc")):
        listing = run(["apt-ftparchive", "sources", pool(release)], directory=directory, log=log, errors_apart=True).output
        _write_index(place / "main" / SOURCE, "Sources", listing.encode())
    fields = {
        "Origin": _ORIGIN,
        "Label": _ORIGIN,
        "Suite": release.codename,
        "Codename": release.codename,
        "Version": release.number,
        "Architectures": " ".join(architectures),
        "Components": "main",
        "Description": f"modern TLS for the system's pip on {release.title}",
        "Acquire-By-Hash": "yes",
    }
    options = [word for name, value in fields.items() for word in ("-o", f"APT::FTPArchive::Release::{name}={value}")]
    text = run(["apt-ftparchive", *options, "release", place], log=log, errors_apart=True).output
    (place / "Release").write_text(text, encoding="utf-8")
    key.sign_clear(place / "Release", place / "InRelease")
    key.sign_detached(place / "Release", place / "Release.gpg")


def index_yum(directory: Path, key: Key, log: Path) -> None:
    """(Re)make repodata of a directory of signed packages: gz and SHA-256, the newest that EL 7's yum reads."""
    shutil.rmtree(directory / "repodata", ignore_errors=True)
    run(
        ["createrepo_c", "--quiet", "--checksum", "sha256", "--general-compress-type", "gz", "--no-database", directory],
        log=log,
    )
    key.sign_detached(directory / "repodata" / "repomd.xml", directory / "repodata" / "repomd.xml.asc")


def is_source(path: Path) -> bool:
    """Whether a file is part of a Debian source package."""
    return path.name.endswith(_SOURCE_FILES)


def apt_source(url: str, release: Release) -> tuple[str, str]:
    """Path and content of what makes the repository at ``url`` (its apt directory) known to a release's apt."""
    if "deb822 sources" in release.features and "signed-by" in release.features:
        return (
            "/etc/apt/sources.list.d/tls-bootstrap.sources",
            f"Types: deb\nURIs: {url}\nSuites: {release.codename}\nComponents: main\n"
            f"Signed-By: {apt_key_path(release)}\n",
        )
    return "/etc/apt/sources.list.d/tls-bootstrap.list", f"deb {url} {release.codename} main\n"


def apt_key_path(release: Release) -> str:
    """Where a release's apt finds the key: Ubuntu 14.04's trusts all in one directory and knows no signed-by."""
    directory = "/usr/share/keyrings" if "signed-by" in release.features else "/etc/apt/trusted.gpg.d"
    return f"{directory}/{APT_KEY}"


#: Where rpm finds the key.
YUM_KEY_PATH = f"/etc/pki/rpm-gpg/{YUM_KEY}"


def yum_source(url: str, name: str = "tls-bootstrap", title: str = "tls-bootstrap") -> tuple[str, str]:
    """Path and content of what makes the repository at ``url`` known to yum and dnf."""
    return (
        f"/etc/yum.repos.d/{name}.repo",
        f"[{name}]\nname={title}\nbaseurl={url}\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://{YUM_KEY_PATH}\n",
    )


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def served(directory: Path) -> Iterator[str]:
    """Serve a directory over plain http on loopback inside the block; yields the URL.

    Plain on purpose: the signatures protect the repository, and old TLS is the problem
    that the packages in it are there to solve.
    """
    handler = functools.partial(_Files, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
