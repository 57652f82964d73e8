# SPDX-License-Identifier: Apache-2.0
"""What needs a process of its own for each sample: imports, first contexts, memory, growth; and threads."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from openssl.errors import BuildError
from toolkit.bench import processor
from toolkit.bench.goals import CONTROL, GROWTH, REFERENCE, TOGETHER, VERSIONS
from toolkit.bench.rounds import Series
from toolkit.bench.workers import Contender, Crew, Failed

BUNDLE, DIRECTORY = "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs"
LATER_CONTEXTS = 5

IMPORTS = {
    "import": {"module": "import _tls_bootstrap", "ssl": "import ssl"},
    "import and touch": {
        "module": "import _tls_bootstrap as m; m.SSLSocket, m.SSLContext, m.CERT_REQUIRED",
        "ssl": "import ssl as m; m.SSLSocket, m.SSLContext, m.CERT_REQUIRED",
    },
}


def cpu_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """CPU ms of a program from its start to its end. Raises BuildError if it fails."""
    with processor.one():
        process = subprocess.Popen(
            command, env=environment or {"PATH": os.defpath}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BuildError(f"{' '.join(command)} ended with status {process.returncode}")
    return (usage.ru_utime + usage.ru_stime) * 1e3


def imports(crew: Crew, rounds: int, tries: int) -> list[Series]:
    """CPU of an import above that of an empty interpreter; in each round the least of `tries` runs counts."""
    made = {name: Series(name, "ms") for name in IMPORTS}
    for number in range(-1, rounds):  # the first round only brings files into memory
        for language, interpreter in crew.equipment.pythons.items():
            # No variables and no site-packages, whose .pth files may import half of what ssl needs; the program itself
            # puts the tree in its place.
            start = f"import sys; sys.path.insert(0, {str(crew.equipment.trees[language])!r})"
            program = [interpreter.path, "-E", "-s", "-S", "-c"]
            cases = {("", ""): start}
            for name, kinds in IMPORTS.items():
                cases.update({(name, kind): f"{start}; {statement}" for kind, statement in kinds.items()})
            spent = dict.fromkeys(cases, float("inf"))
            for attempt in range(1 if number < 0 else tries):
                for case in cases if (number + attempt) % 2 == 0 else reversed(cases):
                    spent[case] = min(spent[case], cpu_of([*program, cases[case]]))
            for name, kind in list(cases)[1:] if number >= 0 else []:
                above = max(spent[name, kind] - spent["", ""], 0.0)
                made[name].samples.setdefault(Contender(kind, language), []).append(above)
    return list(made.values())


def everyone(crew: Crew, *kinds: str) -> list[Contender]:
    """The reference twice, and these kinds on every Python."""
    languages = crew.equipment.pythons
    return [REFERENCE, *(Contender(kind, language) for kind in kinds for language in languages), CONTROL]


def contexts(crew: Crew, rounds: int) -> list[Series]:
    """ms for the first context that trusts the system's authorities, and for later ones of the process."""
    first, later = Series("context first", "ms"), Series("context later", "ms")
    for number in range(rounds):
        taking_part = [who for who in everyone(crew, "module", "ssl") if who not in first.refused]
        for who in taking_part if number % 2 == 0 else reversed(taking_part):
            try:
                with crew.fresh(who) as worker:
                    values = [worker.ask(f"context {BUNDLE} {DIRECTORY}")["value"] for _ in range(1 + LATER_CONTEXTS)]
            except Failed as problem:
                first.refused[who] = str(problem)
                continue
            first.samples.setdefault(who, []).append(values[0])
            later.samples.setdefault(who, []).append(statistics.median(values[1:]))
    return [first, later]


def memory(crew: Crew, rounds: int, pairs: int) -> list[Series]:
    """KiB of resident memory for each connection after its handshake, and after a record each way."""
    made = []
    for version in VERSIONS:
        idle, used = Series(f"memory {version} idle", "KiB"), Series(f"memory {version} used", "KiB")
        for _ in range(rounds):
            for who in everyone(crew, "module", "ssl", "pyOpenSSL"):
                if who in idle.refused:
                    continue
                try:
                    with crew.fresh(who) as worker:
                        answer = worker.ask(f"memory {version} {pairs}")
                except Failed as problem:
                    idle.refused[who] = str(problem)
                    continue
                idle.samples.setdefault(who, []).append(answer["value"])
                used.samples.setdefault(who, []).append(answer["used"])
        made += [idle, used]
    return made


def threads(crew: Crew, rounds: int, seconds: float) -> list[Series]:
    """How much faster two threads are than one, by the clock on the wall. Bare modules give up the GIL for all they do."""
    made = {length: Series(f"threads {length}", "") for length in TOGETHER}
    taking_part = [*everyone(crew, "module"), *(Contender("bare", name) for name in crew.equipment.bare)]
    for number in range(rounds):
        for who in taking_part if number % 2 == 0 else reversed(taking_part):
            gives_up_gil = " 1" if who.kind == "bare" else ""
            for length, series in made.items():
                answer = crew.ask(who, f"threads {length} {seconds}{gives_up_gil}")
                series.samples.setdefault(who, []).append(answer["value"])
    return list(made.values())


def growth(crew: Crew, megabytes: Sequence[int], connections: Sequence[int], tries: int) -> dict[str, Any]:
    """What the module itself needs for more and more data in flight, and for more and more connections.

    The least time of `tries` counts, taken in turns by a process for each amount, and the most memory: a virtual machine
    gets memory that it has not had lately from its host, which takes longer than all that is measured and counts as work
    of its kernel, and it may be slower for a while.
    """
    return {
        language: {
            "in flight": _in_flight(crew, language, megabytes, tries),
            "connections": _connections(crew, language, connections, tries),
        }
        for language in crew.equipment.pythons
    }


def _in_flight(crew: Crew, language: str, megabytes: Sequence[int], tries: int) -> list[dict[str, Any]]:
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(crew.fresh(Contender("module", language))) for _ in megabytes]
        for worker in workers:
            worker.ask("grow 1")
        turns = [[worker.ask(f"grow {count}") for worker, count in zip(workers, megabytes)] for _ in range(tries)]
    return [
        {"megabytes": count} | _least_time_most_memory(answers, ("filled", "left"))
        for count, *answers in zip(megabytes, *turns)
    ]


def _connections(crew: Crew, language: str, counts: Sequence[int], tries: int) -> list[dict[str, Any]]:
    def ask(count: int) -> dict[str, Any]:
        with crew.fresh(Contender("module", language)) as worker:
            return worker.ask(f"connections {count}")

    turns = [[ask(count) for count in counts] for _ in range(tries)]
    return [{"connections": count} | _least_time_most_memory(answers, ("kib",)) for count, *answers in zip(counts, *turns)]


def _least_time_most_memory(answers: Sequence[dict[str, Any]], memory: Sequence[str]) -> dict[str, Any]:
    most = {name: max(answer[name] for answer in answers) for name in memory}
    return min(answers, key=lambda answer: answer["value"]) | most


def flatness(found: Mapping[str, Any]) -> list[Series]:
    """Of what growth() found: what the largest amount costs for each unit, over the median of the smaller ones."""
    made = {kind: Series(name, "") for kind, name in GROWTH.items()}
    for language, kinds in found.items():
        for kind, steps in kinds.items():
            *smaller, largest = (step["value"] for step in steps)
            made[kind].samples[Contender("module", language)] = [largest / statistics.median(smaller)]
    return list(made.values())
