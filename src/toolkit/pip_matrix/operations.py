# SPDX-License-Identifier: Apache-2.0
"""What the pips of the matrix are asked to do, and how to see that they did it.

An operation prepares servers and a command line in an `Attempt`; its `result` tells what is wrong with the outcome.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from toolkit import wheels
from toolkit.pip_matrix.files import big_wheel, make_sdist, make_wheel, pages
from toolkit.pip_matrix.index import ANY, CLIENT_CERTIFICATE, SECOND_HOST, STRANGER, CellServers, Identity
from toolkit.pip_matrix.places import Done, LocalPlace, Place

_SAMPLE, _BIG, _SOURCE, _NEEDS = "tb-sample", "tb-big", "tb-source", "tb-build-needs"
#: Names of settings by which pips are told whom to trust; an operation that tests one uses that alone.
TRUST = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


class NotApplicable(Exception):
    """This pip does not have the operation, by its own --help; the text names what is missing."""


@dataclass
class Help:
    """What a pip says about itself: its verbs, and the options of ``install`` and ``download``."""

    verbs: str
    options: str

    def has(self, option: str) -> bool:
        """Whether an option is known."""
        return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", self.options) is not None

    def require(self, option: str) -> None:
        """Raise NotApplicable for a pip without this option."""
        if not self.has(option):
            raise NotApplicable(f"pip --help knows no {option}")


@dataclass
class Attempt:
    """One run of pip for a cell, before it is made."""

    place: Place
    identity: Identity
    servers: CellServers
    directory: tuple[Path, str]
    help: Help
    kind: str = ANY
    words: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    #: System file -> what this pip alone finds at its end.
    files: dict[str, bytes] = field(default_factory=dict)
    #: Says what is wrong with the outcome, or nothing.
    result: Callable[[Done], str] = lambda done: ""

    def trust(self, variable: str | None = "PIP_CERT") -> str:
        """Write the authority's certificate down, and name it in ``variable`` if there is one; returns its path."""
        path = self.place.file(self.directory, "authority.pem", self.identity.authority)
        if variable:
            self.environment[variable] = path
        return path

    def serve(self, *projects: str, origin: str = "") -> None:
        """Let the servers offer these."""
        files = dict(_FILES[project]() for project in projects)
        self.servers.pages.update(pages(files, origin))

    def use_index(self, address: str) -> None:
        """Make this index the only one, for the pips that build isolation starts too."""
        self.environment["PIP_INDEX_URL"] = f"{address}/simple"

    def uncached(self) -> list[str]:
        """The option for what is not to be answered, or kept in memory, by a cache."""
        return ["--no-cache-dir"] if self.help.has("--no-cache-dir") else []

    def download(self, *more: str, project: str = _SAMPLE) -> None:
        """Let pip download a wheel."""
        name, data = _FILES[project]()
        if re.search(r"^\s+download\s", self.help.verbs, re.MULTILINE):
            self.words = ["download", "--no-deps", "--dest", f"{self.directory[1]}/got"]
        else:
            self.help.require("--download")
            (self.directory[0] / "got").mkdir()
            self.words = ["install", "--no-deps", "--download", f"{self.directory[1]}/got"]
        self.words += [*more, project]

        def result(done: Done) -> str:
            if done.code:
                return f"pip exited with {done.code}: {done.last_line()}"
            got = self.directory[0] / "got" / name
            return "" if got.exists() and got.read_bytes() == data else "the file is not the one that was served"

        self.result = result

    def install(self, project: str) -> None:
        """Let pip install into an own directory."""
        self.words = ["install", "--no-deps", *self.uncached(), "--target", f"{self.directory[1]}/target", project]
        module = self.directory[0] / "target" / f"{project.replace('-', '_')}.py"

        def result(done: Done) -> str:
            if done.code:
                return f"pip exited with {done.code}: {done.last_line()}"
            return "" if module.exists() and "ANSWER = 42" in module.read_text() else "the module is not there"

        self.result = result


_FILES: dict[str, Callable[[], tuple[str, bytes]]] = {
    _SAMPLE: lambda: make_wheel(_SAMPLE),
    _NEEDS: lambda: make_wheel(_NEEDS),
    _BIG: lambda: big_wheel(_BIG),
    _SOURCE: lambda: make_sdist(_SOURCE, _NEEDS),
    "wheel": lambda: _pinned("wheel==0.37.1"),
}


def _pinned(requirement: str) -> tuple[str, bytes]:
    path = wheels.path(requirement)
    return path.name, path.read_bytes()


def download(attempt: Attempt) -> None:
    """Download a wheel."""
    attempt.serve(_SAMPLE)
    attempt.use_index(attempt.servers.index(attempt.kind))
    attempt.trust()
    attempt.download()


def install_target(attempt: Attempt) -> None:
    """Install a wheel into a target directory."""
    attempt.serve(_SAMPLE)
    attempt.use_index(attempt.servers.index(attempt.kind))
    attempt.trust()
    attempt.install(_SAMPLE)


def install_sdist(attempt: Attempt) -> None:
    """Install a source distribution with build isolation; the child downloads too."""
    attempt.help.require("--no-build-isolation")
    attempt.serve(_SOURCE, _NEEDS)
    # Build backends came with one of these options and outlived both.
    if attempt.help.has("--install-option") and not attempt.help.has("--use-pep517"):
        if not isinstance(attempt.place, LocalPlace):
            raise NotApplicable("pip --help knows no --use-pep517")
        bundled = attempt.place.installation.site.parent / "ensurepip" / "_bundled"
        setuptools = sorted(bundled.glob("setuptools-*.whl"))[-1]
        source = make_sdist(_SOURCE, _NEEDS, by_setuptools=True)
        attempt.serve("wheel")
        attempt.servers.pages.update(pages({setuptools.name: setuptools.read_bytes(), source[0]: source[1]}))
    attempt.use_index(attempt.servers.index(attempt.kind))
    attempt.trust()
    attempt.install(_SOURCE)


def _trusting(variable: str) -> Callable[[Attempt], None]:
    def operation(attempt: Attempt) -> None:
        attempt.serve(_SAMPLE)
        attempt.use_index(attempt.servers.index(attempt.kind))
        attempt.trust(variable)
        attempt.download()

    return operation


def cert_option(attempt: Attempt) -> None:
    """--cert"""
    attempt.help.require("--cert")
    attempt.serve(_SAMPLE)
    attempt.use_index(attempt.servers.index(attempt.kind))
    attempt.download("--cert", attempt.trust(None))


def system_store(attempt: Attempt) -> None:
    """Trust what the system trusts, told by nobody."""
    attempt.serve(_SAMPLE)
    attempt.use_index(attempt.servers.index(attempt.kind))
    # Opt-in from 22.2 to 24.1; an option that is there without the package it needs is of no use.
    choices = re.search(r"--use-feature.*?(?=\n\s*-)", attempt.help.options, re.DOTALL)
    opt_in = ["--use-feature=truststore"] if choices and "truststore" in choices.group() else []
    attempt.download(*opt_in)
    attempt.files = {attempt.identity.store: attempt.identity.authority}


def client_certificate(attempt: Attempt) -> None:
    """--client-cert"""
    attempt.help.require("--client-cert")
    attempt.serve(_SAMPLE)
    attempt.use_index(attempt.servers.index(CLIENT_CERTIFICATE))
    attempt.trust()
    attempt.download("--client-cert", attempt.place.file(attempt.directory, "client.pem", attempt.identity.client, 0o600))


def _through_proxy(tls: bool) -> Callable[[Attempt], None]:
    def operation(attempt: Attempt) -> None:
        attempt.help.require("--proxy")
        attempt.serve(_SAMPLE)
        attempt.use_index(attempt.servers.index(attempt.kind))
        attempt.trust()
        attempt.download("--proxy", attempt.servers.proxy(tls))
        downloaded = attempt.result
        attempt.result = lambda done: downloaded(done) or ("" if attempt.servers.tunnels else "nothing went through the proxy")

    return operation


def trusted_host(attempt: Attempt) -> None:
    """--trusted-host with an index whose certificate nobody vouches for"""
    attempt.help.require("--trusted-host")
    attempt.serve(_SAMPLE)
    address, line = attempt.servers.index_at_default_port(STRANGER, SECOND_HOST)
    attempt.use_index(address)
    attempt.files = {"/etc/hosts": line}
    attempt.trust()
    attempt.download("--trusted-host", SECOND_HOST)


def redirect(attempt: Attempt) -> None:
    """The index sends pip to another host for the file."""
    attempt.serve(_SAMPLE)
    name = _FILES[_SAMPLE]()[0]
    other = attempt.servers.index(attempt.kind, SECOND_HOST)
    elsewhere = f"/elsewhere/{name}"
    attempt.files = {"/etc/hosts": f"127.0.0.1 {SECOND_HOST}\n".encode()}
    attempt.servers.pages[elsewhere] = attempt.servers.pages[f"/files/{name}"]
    attempt.servers.first_answers[f"/files/{name}"] = [(302, {"Location": other + elsewhere}, b"")] * 4
    attempt.use_index(attempt.servers.index(attempt.kind))
    attempt.trust()
    attempt.download()
    downloaded = attempt.result

    def result(done: Done) -> str:
        asked = any(f"200 {elsewhere}" in connection.requests for connection in attempt.servers.connections)
        return downloaded(done) or ("" if asked else "the second host was not asked")

    attempt.result = result


def unavailable(attempt: Attempt) -> None:
    """The index answers 503 twice."""
    attempt.help.require("--retries")
    attempt.serve(_SAMPLE)
    attempt.servers.first_answers[f"/simple/{_SAMPLE}/"] = [(503, {}, b"")] * 2
    attempt.use_index(attempt.servers.index(attempt.kind))
    attempt.trust()
    attempt.download("--retries", "3")


def big_download(attempt: Attempt) -> None:
    """Download a wheel of 200 MB."""
    attempt.serve(_BIG)
    attempt.use_index(attempt.servers.index(attempt.kind))
    attempt.trust()
    attempt.download(*attempt.uncached(), project=_BIG)


def interrupted(attempt: Attempt) -> None:
    """The connection breaks in the middle of the file."""
    attempt.serve(_SAMPLE)
    attempt.servers.breaks.add(f"/files/{_FILES[_SAMPLE]()[0]}")
    attempt.use_index(attempt.servers.index(attempt.kind))
    attempt.trust()
    attempt.download(*attempt.uncached())


#: The operation of the whole matrix, and the others.
DOWNLOAD = "download"
INTERRUPTED = "interrupted download"
OPERATIONS: dict[str, Callable[[Attempt], None]] = {
    DOWNLOAD: download,
    "install into a target": install_target,
    "sdist, isolated build": install_sdist,
    "--cert": cert_option,
    "PIP_CERT": _trusting("PIP_CERT"),
    "REQUESTS_CA_BUNDLE": _trusting("REQUESTS_CA_BUNDLE"),
    "SSL_CERT_FILE": _trusting("SSL_CERT_FILE"),
    "system store": system_store,
    "client certificate": client_certificate,
    "proxy": _through_proxy(tls=False),
    "proxy over TLS": _through_proxy(tls=True),
    "--trusted-host": trusted_host,
    "redirect": redirect,
    "503, retries": unavailable,
    "200 MB wheel": big_download,
    INTERRUPTED: interrupted,
}
