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
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands import run
from toolkit.signing import Key

#: File names of the public key at the top of each repository.
APT_KEY = "tls-bootstrap-archive-keyring.gpg"
YUM_KEY = "RPM-GPG-KEY-tls-bootstrap"

_ORIGIN = "tls-bootstrap"


@dataclass(frozen=True)
class Suite:
    """One release of a distribution in the apt repository."""

    codename: str
    architectures: tuple[str, ...] = ("amd64",)


def _write_by_hash(path: Path, content: bytes) -> None:
    """An index under its name and under its digest: a client never meets a mix of two generations."""
    path.write_bytes(content)
    named = path.parent / "by-hash" / "SHA256" / hashlib.sha256(content).hexdigest()
    named.parent.mkdir(parents=True, exist_ok=True)
    named.write_bytes(content)


def make_apt(directory: Path, packages: Sequence[Path], suites: Sequence[Suite], key: Key, log: Path) -> None:
    """Put .deb files into a repository with by-hash indexes, InRelease and Release.gpg for each suite."""
    pool = directory / "pool" / "main" / "t" / "tls-bootstrap"
    pool.mkdir(parents=True)
    for package in packages:
        shutil.copy(package, pool)
    for suite in suites:
        place = directory / "dists" / suite.codename
        for architecture in suite.architectures:
            index = place / "main" / f"binary-{architecture}"
            index.mkdir(parents=True)
            listing = run(
                ["apt-ftparchive", "--arch", architecture, "packages", "pool"], directory=directory, log=log, errors_apart=True
            ).output.encode()
            _write_by_hash(index / "Packages", listing)
            _write_by_hash(index / "Packages.gz", gzip.compress(listing, mtime=0))
            _write_by_hash(index / "Packages.xz", lzma.compress(listing))
        release = place / "Release"
        fields = {
            "Origin": _ORIGIN,
            "Label": _ORIGIN,
            "Suite": suite.codename,
            "Codename": suite.codename,
            "Architectures": " ".join(suite.architectures),
            "Components": "main",
            "Acquire-By-Hash": "yes",
        }
        options = [word for name, value in fields.items() for word in ("-o", f"APT::FTPArchive::Release::{name}={value}")]
        release.write_text(run(["apt-ftparchive", *options, "release", place], log=log, errors_apart=True).output, encoding="utf-8")
        key.sign_clear(release, place / "InRelease")
        key.sign_detached(release, place / "Release.gpg")
    key.export(directory / APT_KEY, armor=False)


def make_yum(directory: Path, packages: Sequence[Path], key: Key, log: Path) -> None:
    """Put .rpm files, each signed, into a repository with signed metadata."""
    directory.mkdir(parents=True)
    copies = [Path(shutil.copy(package, directory)) for package in packages]
    key.sign_rpms(copies)
    sign_yum_metadata(directory, key, log)
    key.export(directory / YUM_KEY, armor=True)


def sign_yum_metadata(directory: Path, key: Key, log: Path) -> None:
    """(Re)make repodata: gz and SHA-256 set explicitly, the newest that EL 7's yum reads."""
    run(
        ["createrepo_c", "--quiet", "--checksum", "sha256", "--general-compress-type", "gz", "--no-database", directory],
        log=log,
    )
    key.sign_detached(directory / "repodata" / "repomd.xml", directory / "repodata" / "repomd.xml.asc")


def apt_source(url: str, codename: str) -> dict[str, str]:
    """Path and content of what an administrator adds to a Debian system, the key excepted."""
    return {
        "/etc/apt/sources.list.d/tls-bootstrap.sources": (
            f"Types: deb\nURIs: {url}\nSuites: {codename}\nComponents: main\n"
            f"Signed-By: /usr/share/keyrings/{APT_KEY}\n"
        )
    }


def yum_source(url: str) -> dict[str, str]:
    """Path and content of what an administrator adds to an Enterprise Linux system, the key excepted."""
    return {
        "/etc/yum.repos.d/tls-bootstrap.repo": (
            "[tls-bootstrap]\nname=tls-bootstrap\n"
            f"baseurl={url}\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n"
            f"gpgkey=file:///etc/pki/rpm-gpg/{YUM_KEY}\n"
        )
    }


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
