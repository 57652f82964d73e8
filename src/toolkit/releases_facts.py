# SPDX-License-Identifier: Apache-2.0
"""What a release says of itself, in a root of it and in the record of a build: what the matrix calls seen."""

from __future__ import annotations

import re

from toolkit.commands import CommandError
from toolkit.releases import Release
from toolkit.roots import Root

#: Fact -> the command that is asked, and where its answer stands.
_QUESTIONS = {
    "python3": ("python3 --version", r"Python (\S+)"),
    "openssl": ("python3 -c 'import ssl; print(ssl.OPENSSL_VERSION)'", r"OpenSSL (\S+)"),
    "glibc": ("ldd --version", r"ldd .* (\S+)\n"),
    "apt": ("apt-get --version", r"apt (\S+)"),
    "dpkg": ("dpkg --version", r"version (\S+)"),
    "pip": ("pip3 --version", r"pip (\S+)"),
}


def _said(release: Release) -> dict[str, str]:
    return {
        "python3": release.system_python3.release, "openssl": release.openssl, "glibc": release.glibc, "gcc": release.gcc,
        "apt": release.tools["apt"], "dpkg": release.tools["dpkg"], "pip": release.system_python3.pip,
    }  # fmt: skip


def _wrong(release: Release, answers: dict[str, str]) -> dict[str, tuple[str, str]]:
    said = _said(release)
    return {name: (said[name], answer) for name, answer in answers.items() if not answer.startswith(said[name].split()[0])}


def wrong_in_root(release: Release, root: Root) -> dict[str, tuple[str, str]]:
    """Fact -> (the matrix, the root) where they differ; the root has the release's own Python 3 and pip."""
    answers = {}
    for name, (command, pattern) in _QUESTIONS.items():
        output = root.run(["sh", "-c", command]).output
        found = re.search(pattern, output)
        if not found:
            raise CommandError(f"{release.title}: '{command}' answered {output!r}")
        answers[name] = found[1]
    return _wrong(release, answers)


def wrong_in_build(release: Release, buildinfo: str) -> dict[str, tuple[str, str]]:
    """The same for what a .buildinfo names: compiler, C library, Pythons."""
    there = dict(re.findall(r"^ (\S+) \(= (?:\d+:)?([^)]+)\)", buildinfo, re.MULTILINE))
    answers = {"gcc": there["gcc"], "glibc": there["libc6-dev"], "python3": there["python3"], "dpkg": there["dpkg-dev"]}
    return _wrong(release, answers)
