# SPDX-License-Identifier: Apache-2.0
"""The contenders of a benchmark: processes that stay, and are asked for one short sample at a time."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openssl.errors import BuildError
from toolkit.bench import processor, setup
from toolkit.bench.setup import SOURCES
from toolkit.interpreters import Interpreter


@dataclass(frozen=True)
class Contender:
    """Who does the work.

    kind: "C", "C again" (the same program, to see the noise), "module", "bare" (a module
    for that very Python which only moves the bytes: bare.c), "ssl" or "pyOpenSSL".
    """

    kind: str
    python: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.python}".strip()


class Failed(RuntimeError):
    """A contender cannot do what it was asked for; the text is the last line of what it said."""


@dataclass
class Equipment:
    """Everything that was prepared for a run."""

    pythons: dict[str, Interpreter]
    reference: Path
    certificates: Path
    trees: dict[str, Path]
    bare: dict[str, Path]
    pyopenssl: dict[str, Path]
    flavour: str = "bundled"  #: of setup.FLAVOURS

    @classmethod
    def prepare(cls, languages: tuple[str, ...], flavour: str = "bundled") -> Equipment:
        """Build and install what is needed, for one of setup.FLAVOURS. Raises BuildError."""
        found = {item.name: item for item in setup.pythons(languages)}
        extra = {name: setup.pyopenssl(item) for name, item in found.items()}
        bare = {name: setup.bare(item, flavour) for name, item in found.items()}
        return cls(
            pythons=found,
            reference=setup.reference(flavour),
            certificates=setup.certificates(),
            trees={name: setup.tree(item, flavour) for name, item in found.items()},
            bare={name: path for name, path in bare.items() if path},
            pyopenssl={name: path for name, path in extra.items() if path},
            flavour=flavour,
        )

    def command(self, contender: Contender, configuration: Path | None) -> tuple[list[str], dict[str, str]]:
        """The words and the environment that start a contender."""
        environment = {"PATH": os.defpath, "LC_ALL": "C", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        environment.update(processor.SAME_COPIES)
        if contender.kind.startswith("C"):
            return [str(self.reference), str(self.certificates)], environment
        places = {"module": self.trees, "bare": self.bare, "pyOpenSSL": self.pyopenssl}
        path = places.get(contender.kind, {}).get(contender.python)
        if path:
            environment["PYTHONPATH"] = str(path)
        if configuration:
            environment["OPENSSL_CONF"] = str(configuration)
        name = {"module": "_tls_bootstrap", "bare": "bare", "ssl": "ssl", "pyOpenSSL": "OpenSSL"}[contender.kind]
        program = [self.pythons[contender.python].path, "-s", str(SOURCES / "worker.py"), name, str(self.certificates)]
        return program, environment


class Worker:
    """One process of a contender."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )

    def ask(self, command: str) -> dict[str, Any]:
        """The answer to one command. Raises Failed, and the process has then ended."""
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise BuildError("a worker without pipes")
        with suppress(BrokenPipeError):  # its last words are in the log
            requests.write(command + "\n")
            requests.flush()
        line = answers.readline()
        if not line:
            self.close()
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise Failed(said[-1] if said else f"ended with status {self._process.returncode}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


#: The first words of commands that are about two processors; who does others stays on one, sender and receiver too.
AT_ONCE = ("threads",)


class Crew:
    """All workers of a run, started when they are first asked."""

    def __init__(self, equipment: Equipment) -> None:
        self.equipment = equipment
        self._workers: dict[tuple[Contender, Path | None, bool], Worker] = {}

    def ask(self, contender: Contender, command: str, suite: str = "aes128", group: str = "X25519") -> dict[str, Any]:
        """One sample from the contender's standing process. Raises Failed."""
        foreign = contender.kind in ("ssl", "pyOpenSSL")
        configuration = setup.configuration(suite, group) if foreign else None
        at_once = command.startswith(AT_ONCE)
        key = (contender, configuration, at_once)
        if key not in self._workers:
            with nullcontext() if at_once else processor.one():
                self._workers[key] = self._start(contender, configuration)
        try:
            return self._workers[key].ask(command)
        except Failed:
            del self._workers[key]
            raise

    @contextmanager
    def fresh(self, contender: Contender) -> Iterator[Worker]:
        """A process of the contender's own, on one processor, that ends with the block."""
        foreign = contender.kind in ("ssl", "pyOpenSSL")
        with processor.one():
            worker = self._start(contender, setup.configuration("aes128", "X25519") if foreign else None)
        try:
            yield worker
        finally:
            worker.close()

    def close(self) -> None:
        """End all."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def _start(self, contender: Contender, configuration: Path | None) -> Worker:
        command, environment = self.equipment.command(contender, configuration)
        name = f"{contender} {configuration.stem if configuration else ''}".strip().replace(" ", "-")
        return Worker(command, environment, setup.OUTPUT / "log" / f"{name}.log")
