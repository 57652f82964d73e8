# SPDX-License-Identifier: Apache-2.0
"""What the gates of `make audit` share: the builds they look at and the verdicts they give."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from core.build import BINARY, PACKAGE
from openssl import source
from openssl.errors import BuildError

RESULTS = Path("build", "audit")
#: Programs and modules that the gates run, and what they run on the target's interpreters.
PAYLOADS = Path("tests", "isolation")
NATIVE = os.uname().machine


@dataclass(frozen=True)
class Build:
    """One tree that holds `_tls_bootstrap` for one Python major, as the build leaves it."""

    label: str
    tree: Path
    major: int
    flavour: str = "bundled"
    arch: str = NATIVE

    @property
    def package(self) -> Path:
        return self.tree / PACKAGE

    @property
    def binary(self) -> Path:
        """The C half. Raises BuildError when it is not there."""
        path = self.package / BINARY[self.major]
        if not path.exists():
            raise BuildError(f"{path}: not there; run make build or make portable first")
        return path

    @property
    def native(self) -> bool:
        """Whether this machine's own interpreters can load it."""
        return self.arch == NATIVE

    @property
    def openssl(self) -> str | None:
        """The version of OpenSSL that it must report, None where the distribution decides."""
        return source.version() if self.flavour == "bundled" else None


@dataclass
class Verdict:
    """What one gate found about one build. It holds when nothing was found; `seen` is what it looked at."""

    gate: str
    build: str
    findings: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.findings


@dataclass(frozen=True)
class Gate:
    """A property that is measured on every build, with a control that it must find faulty.

    `examine` returns None for a build that it does not apply to; `control` returns a verdict
    whose findings show that the gate can fail (None: the gate's own tests do that, see `why`).
    """

    name: str
    purpose: str
    examine: Callable[[Build], Verdict | None]
    control: Callable[[], Verdict] | None
    #: What every single finding of the control must show up in, so that a control is not red by accident.
    expected: tuple[str, ...] = ()


def missing(gate: Gate, verdict: Verdict) -> list[str]:
    """What a control should have made the gate find, and did not."""
    text = "\n".join(verdict.findings)
    absent = [name for name in gate.expected if name not in text]
    return absent if verdict.findings else ["anything", *absent]


def builds(only: Iterable[str] = ()) -> list[Build]:
    """The trees of this checkout that are built, native ones first."""
    found = []
    for label, flavour, arch in (
        ("", "bundled", NATIVE),
        (f"portable/{NATIVE}", "bundled", NATIVE),
        *((f"portable/{arch}", "bundled", arch) for arch in ("x86_64", "aarch64") if arch != NATIVE),
        ("system", "system", NATIVE),
    ):
        for major in (3, 2):
            name = f"{label}/py{major}".lstrip("/")
            tree = Path("build", name)
            if (tree / PACKAGE / BINARY[major]).exists() and (not only or name in only):
                found.append(Build(name, tree.resolve(), major, flavour, arch))
    return found


def record(name: str, content: object) -> Path:
    """Write build/audit/NAME.json; returns its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, sort_keys=True, default=_plain) + "\n", encoding="utf-8")
    return path


def _plain(value: object) -> object:
    return asdict(value) if isinstance(value, Verdict) else str(value)
