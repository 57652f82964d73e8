# SPDX-License-Identifier: Apache-2.0
"""What the hook costs, in time and in instructions: `pip download` from a loopback index, with the hook and without it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from openssl.errors import BuildError
from toolkit import wheels
from toolkit.bench import callgrind, setup
from toolkit.bench.fresh import cpu_of
from toolkit.bench.goals import Goal
from toolkit.bench.rounds import Budget, Series, beside_reference, is_decided
from toolkit.bench.workers import Contender
from toolkit.index import Index
from toolkit.pip_matrix.installations import Installation

#: (version of pip, version of Python): the oldest that is promised, one with its dependencies inside, a recent one.
PIPS = (("9.0.3", "2.7"), ("20.3.4", "3.9"), ("25.1.1", "3.13"))
WITH, WITHOUT = "with the hook", "without it"
LIMIT = 1.02
#: Whom pip trusts: as for the public index, the authorities that came with it (and the index's); or only the index's.
USUAL, ALONE = "pip download", "pip download, one authority"


#: Takes a command and its environment, runs it and tells what it cost.
Measure = Callable[[Sequence[str], Mapping[str, str]], float]


def goals() -> Iterator[Goal]:
    """At most 2 % more CPU."""
    return _goals("")


def instruction_goals() -> Iterator[Goal]:
    """The same limit in instructions."""
    return _goals("instructions ")


def _goals(prefix: str) -> Iterator[Goal]:
    for name in (USUAL, ALONE):
        for pip, python in PIPS:
            who = f"pip {pip} on {python}"
            yield Goal(prefix + name, Contender(WITH, who), Contender(WITHOUT, who), LIMIT, at_most=True)


def downloads(
    rounds: int, most: int, names: Sequence[str] = (USUAL, ALONE), limit: float = math.inf, flavour: str = "bundled"
) -> list[Series]:
    """CPU ms of a whole `pip download`: with the hook between two without it, where these take about as long.

    So many rounds, and up to `most` where the verdict might turn. No sample is repeated once `limit` seconds have
    passed, of which the installations take some.
    """
    made = {name: Series(name, "ms") for name in names}
    budget = Budget(limit, len(PIPS) * rounds * len(made))
    with _index(flavour) as served:
        for pip, python in PIPS:
            print(f"bench: {rounds} to {most} rounds of pip download by pip {pip} on {python}", flush=True)
            cases = {(name, kind): spend for name, kind, spend in _cases(served, pip, python, cpu_of)}
            with_it, without = (Contender(kind, f"pip {pip} on {python}") for kind in (WITH, WITHOUT))
            for name, series in made.items():

                def ask(who: Contender, cases: dict[tuple[str, str], Callable[[], float]] = cases, name: str = name) -> float:
                    return cases[name, who.kind]()

                for number in range(most):
                    if number >= rounds and is_decided(series.ratios(with_it, without), LIMIT):
                        break
                    for who, value in beside_reference([with_it], ask, 1, without, budget.turn()).items():
                        series.samples.setdefault(who, []).append(value)
    return list(made.values())


def count(
    pips: Sequence[tuple[str, str]] = PIPS, names: Sequence[str] = (USUAL, ALONE), flavour: str = "bundled"
) -> list[Series]:
    """Instructions of a whole `pip download`, outside the kernel."""
    made = {name: Series(f"instructions {name}", "instructions") for name in names}
    print(f"bench: counting instructions of pip download by {len(pips)} pips", flush=True)
    with _index(flavour) as served, concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        cases = [
            (name, Contender(kind, f"pip {pip} on {python}"), pool.submit(spend))
            for pip, python in pips
            for name, kind, spend in _cases(served, pip, python, _executed)
            if name in names
        ]
        for name, who, counted in cases:
            made[name].samples[who] = [counted.result()]
    return list(made.values())


def _executed(command: Sequence[str], environment: Mapping[str, str]) -> float:
    return callgrind.run(command, {**environment, "PYTHONHASHSEED": "0"}, Path(os.devnull))


class Served(NamedTuple):
    """An index on loopback."""

    place: Path  #: for what is made to download from it
    flavour: str  #: of the module that does so: of setup.FLAVOURS
    url: str
    authority: Path


@contextlib.contextmanager
def _index(flavour: str) -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="tls-bootstrap-bench-") as name:
        authority = Path(name, "authority.pem")
        log = setup.OUTPUT / "log" / "index.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        served = Index(
            tree=Path("build", "py3").resolve(), wheel=wheels.path(wheels.SERVED), authority=authority, nonce=b"bench",
            groups="", log=log,
        )  # fmt: skip
        with served as index:
            yield Served(Path(name), flavour, index.url, authority)


def _cases(served: Served, pip: str, python: str, measure: Measure) -> Iterator[tuple[str, str, Callable[[], float]]]:
    """(whom it trusts, with the hook or without it, what does a download and tells its cost)."""
    place = served.place
    # Names of one length: where a path is longer by five characters, 2.7's pip takes up to 2 % more time.
    kinds = {
        WITH: _install(place / f"{pip}-with", pip, python, served.flavour),
        WITHOUT: _install(place / f"{pip}-none", pip, python, ""),
    }
    own = _with_pips_own(kinds[WITHOUT], served.authority, place / f"authorities-{pip}.pem")
    for kind, installation in kinds.items():
        # A first download, which is not measured, tells whether the module is used.
        trace = place / f"trace-{pip}-{kind}"
        _download(installation, served.url, own, cpu_of, trace)
        if trace.exists() != (kind == WITH):
            raise BuildError(f"pip {pip} on {python} {kind}: the module was {'not ' if kind == WITH else ''}used")
    for name, trusted in ((USUAL, own), (ALONE, served.authority)):
        for kind, installation in kinds.items():
            yield name, kind, functools.partial(_download, installation, served.url, trusted, measure)


def _with_pips_own(installation: Installation, authority: Path, target: Path) -> Path:
    """A file of the authorities that this pip brings, more than a hundred, and one more."""
    own = installation.site / "pip" / "_vendor" / "certifi" / "cacert.pem"
    target.write_bytes(own.read_bytes() + b"\n" + authority.read_bytes())
    return target


def _install(root: Path, pip: str, python: str, flavour: str) -> Installation:
    """A pip, with the module of this flavour and the hook if there is one."""
    installation = Installation(root, python).add_pip(pip)
    if flavour:
        installation.add_module(flavour).add_hook()
        # Packages bring byte code; without it every run would compile.
        for path in installation.site.glob("_tls_bootstrap*"):
            subprocess.run(
                [installation.python, "-S", "-m", "compileall", "-q", path], env={"PATH": os.defpath}, check=True
            )
    return installation


def _download(
    installation: Installation, url: str, authority: Path, measure: Measure, trace: Path | None = None
) -> float:
    target = Path(tempfile.mkdtemp(dir=installation.root))
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
    spent = measure(command, environment)
    if not any(target.iterdir()):
        raise BuildError(f"{' '.join(command)} downloaded nothing")
    shutil.rmtree(target)
    return spent
