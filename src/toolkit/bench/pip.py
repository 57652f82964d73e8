# SPDX-License-Identifier: Apache-2.0
"""What the hook costs: `pip download` of one wheel from a loopback index, with the hook and without it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from openssl.errors import BuildError
from toolkit import wheels
from toolkit.bench import setup
from toolkit.bench.fresh import cpu_of
from toolkit.bench.goals import Goal
from toolkit.bench.rounds import Series
from toolkit.bench.workers import Contender
from toolkit.index import Index
from toolkit.pip_matrix.installations import Installation

#: (version of pip, version of Python): the oldest that is promised, one with its dependencies inside, a recent one.
PIPS = (("9.0.3", "2.7"), ("20.3.4", "3.9"), ("25.1.1", "3.13"))
WITH, WITHOUT = "with the hook", "without it"
#: Whom pip trusts: as for the public index, the authorities that came with it (and the index's); or only the index's.
USUAL, ALONE = "pip download", "pip download, one authority"


def goals() -> Iterator[Goal]:
    """At most 2 % more CPU."""
    for name in (USUAL, ALONE):
        for pip, python in PIPS:
            who = f"pip {pip} on {python}"
            yield Goal(name, Contender(WITH, who), Contender(WITHOUT, who), 1.02, at_most=True)


def downloads(rounds: int) -> list[Series]:
    """CPU ms of a whole `pip download`, in turns."""
    made = {name: Series(name, "ms") for name in (USUAL, ALONE)}
    with tempfile.TemporaryDirectory(prefix="tls-bootstrap-bench-") as name:
        place = Path(name)
        authority = place / "authority.pem"
        log = setup.OUTPUT / "log" / "index.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        served = Index(
            tree=Path("build", "py3").resolve(), wheel=wheels.path(wheels.SERVED), authority=authority, nonce=b"bench",
            groups="", log=log,
        )  # fmt: skip
        with served as index:
            for pip, python in PIPS:
                _alternate(made, place, pip, python, rounds, index.url, authority)
    return list(made.values())


def _alternate(
    made: dict[str, Series], place: Path, pip: str, python: str, rounds: int, url: str, authority: Path
) -> None:
    kinds = {WITH: _install(place / f"{pip}-with", pip, python, True), WITHOUT: _install(place / pip, pip, python, False)}
    trusted = {USUAL: _with_pips_own(kinds[WITHOUT], authority, place / f"authorities-{pip}.pem"), ALONE: authority}
    cases = [(name, kind) for name in trusted for kind in kinds]
    for number in range(-1, rounds):
        for name, kind in cases if number % 2 == 0 else reversed(cases):
            # Only the first round asks the module to tell that it was used, and is not counted.
            trace = place / f"trace-{pip}-{kind}" if number < 0 else None
            spent = _download(kinds[kind], url, trusted[name], trace)
            if trace and trace.exists() != (kind == WITH):
                raise BuildError(f"pip {pip} on {python} {kind}: the module was {'not ' if kind == WITH else ''}used")
            if not trace:
                made[name].samples.setdefault(Contender(kind, f"pip {pip} on {python}"), []).append(spent)


def _with_pips_own(installation: Installation, authority: Path, target: Path) -> Path:
    """A file of the authorities that this pip brings, more than a hundred, and one more."""
    own = installation.site / "pip" / "_vendor" / "certifi" / "cacert.pem"
    target.write_bytes(own.read_bytes() + b"\n" + authority.read_bytes())
    return target


def _install(root: Path, pip: str, python: str, hooked: bool) -> Installation:
    installation = Installation(root, python).add_pip(pip)
    if hooked:
        installation.add_module().add_hook()
        # Packages bring byte code; without it every run would compile.
        for path in installation.site.glob("_tls_bootstrap*"):
            subprocess.run(
                [installation.python, "-S", "-m", "compileall", "-q", path], env={"PATH": os.defpath}, check=True
            )
    return installation


def _download(installation: Installation, url: str, authority: Path, trace: Path | None) -> float:
    target = installation.root / "downloads"
    shutil.rmtree(target, ignore_errors=True)
    environment = {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "HOME": str(installation.root),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **({"TLS_BOOTSTRAP_TRACE": str(trace)} if trace else {}),
    }
    command = [
        str(installation.python), "-m", "pip", "download", "-q", "--no-deps", "--no-cache-dir", "--retries", "0",
        "--cert", str(authority), "--index-url", url, "-d", str(target), wheels.SERVED,
    ]  # fmt: skip
    spent = cpu_of(command, environment)
    if not any(target.iterdir()):
        raise BuildError(f"{' '.join(command)} downloaded nothing")
    return spent
