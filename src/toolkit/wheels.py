# SPDX-License-Identifier: Apache-2.0
"""The few wheels the roots and loopback indexes need, from the package index, pinned by digest."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from toolkit import tools
from toolkit.cache import cached
from toolkit.commands import run


def _requirement(name: str) -> str:
    """"pip==9.0.3", or for a wheel that fits one kind of interpreter only "cffi==1.15.1 cp27-cp27mu"."""
    parts = name[: -len(".whl")].split("-")
    return "==".join(parts[:2]) + ("" if parts[-1] == "any" else f" {parts[-3]}-{parts[-2]}")


#: Requirement -> file name and SHA-256 of each wheel, as sha256sum prints them.
_WHEELS = {
    _requirement(name): (name, digest)
    for digest, name in map(str.split, Path(__file__).with_name("WHEELS.sha256").read_text(encoding="ascii").splitlines())
}

#: What the demo's indexes serve: pure Python, small, for 2.7 and 3.
SERVED = "six==1.16.0"


def digest(requirement: str) -> str:
    """SHA-256 (hex) of a wheel of the list; KeyError for one that is not in it."""
    return _WHEELS[requirement][1]


def _kind(name: str) -> list[str]:
    """pip's options for the interpreter and platform that a wheel is for; none for one that fits this interpreter."""
    python, abi, platform = name[: -len(".whl")].split("-")[-3:]
    if "py3" in python.split("."):
        return []
    version = python[2:].split(".")[0]
    platforms = [word for item in platform.split(".") for word in ("--platform", item)]
    return ["--implementation", python[:2], "--python-version", version, "--abi", abi, *platforms]


def _fetch(requirement: str, target: Path) -> None:
    name, sha256 = _WHEELS[requirement]
    with tempfile.TemporaryDirectory() as directory:
        pinned = Path(directory, "requirements.txt")
        pinned.write_text(f"{requirement.split()[0]} --hash=sha256:{sha256}\n", encoding="ascii")
        # The caller's own environment: it may name a mirror, a proxy or a bundle of authorities.
        run(
            [tools.python(), "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
             "--require-hashes", "--dest", directory, "-r", pinned, *_kind(name)],
            environment=os.environ,
        )
        target.write_bytes(Path(directory, name).read_bytes())


def path(requirement: str) -> Path:
    """The wheel as a file with its right name, downloaded and checked when it is not cached yet."""
    name, sha256 = _WHEELS[requirement]
    return cached("wheels", sha256, name, lambda target: _fetch(requirement, target))
