# SPDX-License-Identifier: Apache-2.0
"""The interposition gate: several users of OpenSSL in one process, and everyone keeps its own.

Two orders of import prove nothing, since the loader keeps what Python loads apart. What tells a leak: the system's
libssl and libcrypto put before everything by LD_PRELOAD, and our module loaded for all to see by RTLD_GLOBAL. Both at
once and apart, in every order; and the loader's own list of what was bound to what.
"""

from __future__ import annotations

import ctypes.util
import itertools
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError
from toolkit import tools
from toolkit.audit import control as audit_control
from toolkit.audit.certificates import make_certificates
from toolkit.audit.model import PAYLOADS, Build, Gate, Verdict
from toolkit.audit.run import all_interpreters, interpreters_for, on_all, run
from toolkit.interpreters import Interpreter

PROGRAM = PAYLOADS / "neighbours.py"
PINNED = Path(__file__).with_name("neighbours.txt")
OURS = "ours+global"
#: Neighbours that come from the package index; they are made for recent Pythons only.
WHEELS = ("cryptography", "psycopg2")


@dataclass(frozen=True)
class Trial:
    """One process: who is in it, in which order, on which interpreter, and whether the system's OpenSSL comes first."""

    interpreter: Interpreter
    order: tuple[str, ...]
    preload: bool

    def __str__(self) -> str:
        return f"{self.interpreter.name}, {' '.join(self.order)}{', LD_PRELOAD' if self.preload else ''}"


def preloaded() -> str:
    """The system's two libraries as LD_PRELOAD takes them. Raises BuildError when there are none."""
    names = [ctypes.util.find_library(name) for name in ("ssl", "crypto")]
    if None in names:
        raise BuildError("this machine has no libssl to put before ours (make deps)")
    return " ".join(str(name) for name in names)


def wheels(interpreter: Interpreter) -> Path:
    """A directory for PYTHONPATH with the neighbours that come as wheels, from the cache."""
    pinned = PINNED.read_text(encoding="utf-8")

    def make(directory: str) -> None:
        print(f"audit: installing {PINNED.name} for Python {interpreter.name} into the cache", flush=True)
        command = [interpreter.path, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:"]
        tools.run_quietly([*command, "--target", directory, "-r", str(PINNED)], f"installing {PINNED}")

    return Path(cache.entry("neighbours", f"{interpreter.name}-{cache.key_of(pinned)}", make))


def trials(build: Build) -> Iterator[Trial]:
    """Every order of two on every interpreter, and every order of four on the newest."""
    fitting = interpreters_for(build)
    for preload in (False, True):
        for interpreter in fitting:
            for order in itertools.permutations((OURS, "ssl")):
                yield Trial(interpreter, order, preload)
        if build.major == 3:
            for order in itertools.permutations((OURS, "ssl", *WHEELS)):
                yield Trial(fitting[-1], order, preload)


def run_trial(build: Build, trial: Trial, certificates: str) -> tuple[list[list[str]], list[str]]:
    """What each step had, and what is wrong with how the loader bound the libraries."""
    places = [str(build.tree)] + ([str(wheels(trial.interpreter))] if set(WHEELS) & set(trial.order) else [])
    with tempfile.TemporaryDirectory() as directory:
        variables = {"PYTHONPATH": ":".join(places), "LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": f"{directory}/bound"}
        if trial.preload:
            variables["LD_PRELOAD"] = preloaded()
        done = run([trial.interpreter.path, "-s", PROGRAM, certificates, *trial.order], variables)
        bound = [path.read_text(errors="replace") for path in Path(directory).iterdir()]
    if done.status != 0:
        return [], [f"{trial}: {done.complaint()}"]
    return json.loads(done.output), [f"{trial}: {text}" for text in crossings("".join(bound), build.binary.name)]


def crossings(bindings: str, core: str) -> list[str]:
    """Bindings (LD_DEBUG=bindings) between our file and somebody's OpenSSL, either way; at most three."""
    found = []
    for line in bindings.splitlines():
        match = re.search(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: \w+ symbol `(\w+)'", line)
        if not match:
            continue
        user, provider, symbol = match.groups()
        ours = [os.path.basename(path) == core for path in (user, provider)]
        if ours == [True, True] or not any(ours) or symbol.startswith(("PyInit_", "init_core")):
            continue
        if ours[1] or re.search(r"lib(ssl|crypto)", provider):
            found.append(f"{os.path.basename(user)} is bound to {symbol} of {os.path.basename(provider)}")
    return found[:3]


def examine(build: Build) -> Verdict | None:
    """The gate on one build; None for the system flavour, which shares its OpenSSL on purpose."""
    if build.flavour == "system" or not build.native:
        return None
    chosen = list(trials(build))
    return judge(build, chosen)


def judge(build: Build, chosen: list[Trial]) -> Verdict:
    """Runs trials and compares each step with the same neighbour alone."""
    verdict = Verdict("interposition", build.label)
    with tempfile.TemporaryDirectory() as certificates:
        make_certificates(build, certificates)
        alone = _alone(build, chosen, certificates)
        for trial, (steps, wrong) in zip(chosen, on_all(lambda trial: run_trial(build, trial, certificates), chosen)):
            verdict.findings += wrong
            verdict.seen.append(f"{trial}: {'; '.join(' '.join(step) for step in steps)}")
            for step, version, protocol in steps:
                expected = _expected(build, alone, trial, step)
                if not version.startswith(expected) or protocol not in ("TLSv1.2", "TLSv1.3"):
                    verdict.findings.append(f"{trial}: {step} has {version} ({protocol}) and must have {expected}")
    return verdict


def _expected(build: Build, alone: dict[tuple[str, str], str], trial: Trial, step: str) -> str:
    return f"OpenSSL {build.openssl} " if step == OURS else alone[trial.interpreter.name, step]


def _alone(build: Build, chosen: list[Trial], certificates: str) -> dict[tuple[str, str], str]:
    """The OpenSSL of each neighbour when it has a process to itself."""
    wanted = sorted({(trial.interpreter.name, step) for trial in chosen for step in trial.order if step != OURS})
    named = {trial.interpreter.name: trial.interpreter for trial in chosen}

    def version(pair: tuple[str, str]) -> str:
        steps, wrong = run_trial(build, Trial(named[pair[0]], (pair[1],), False), certificates)
        if wrong:
            raise BuildError(f"a neighbour does not even work alone: {wrong[0]}")
        return steps[0][1]

    return dict(zip(wanted, on_all(version, wanted)))


def control() -> Verdict:
    """A build without hiding, in the two situations that show it."""
    verdict = Verdict("interposition", "control")
    for major in (3, 2):
        newest = [item for item in all_interpreters() if item.version[0] == major][-1]
        chosen = [Trial(newest, (OURS, "ssl"), preload) for preload in (False, True)]
        verdict.findings += judge(audit_control.unhidden(major), chosen).findings
    return verdict


GATE = Gate(
    "interposition",
    "everyone in the process keeps the OpenSSL that is its own, in every order",
    examine,
    control,
    (
        "ours+global ssl: ssl has OpenSSL",
        "LD_PRELOAD: ours+global has OpenSSL",
        "_core.so is bound to",
        "_core.abi3.so is bound to",
    ),
)
