# SPDX-License-Identifier: Apache-2.0
"""What missed times are explained with: the cipher's part, the least number of copies, and what caches and predictions add.

Nothing of it is judged; docs/performance.md draws the conclusions.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from toolkit.bench import goals, instructions
from toolkit.bench.fresh import everyone
from toolkit.bench.goals import RECORD, REFERENCE, Measurement
from toolkit.bench.rounds import beside_reference
from toolkit.bench.workers import Contender, Crew

CIPHER = Contender("C", "cipher alone")
FEWEST = Contender("C", "fewest copies")

#: (suite, bytes of a write), all with TLS 1.3.
TRANSFERS = tuple((suite, length) for suite in ("aes128", "chacha20") for length in (1024, RECORD, 16 * RECORD))

#: What is reported -> the events of callgrind whose sum it is.
EVENTS = {
    "instructions": ("Ir",),
    "instruction cache misses": ("I1mr",),
    "data cache misses": ("D1mr", "D1mw"),
    "wrong predictions": ("Bcm", "Bim"),
}
SIMULATION = ("--cache-sim=yes", "--branch-sim=yes")


def work() -> list[Measurement]:
    """What is run under the simulated caches."""
    names = {"handshake tls12 ec X25519 full", *(f"bulk tls13 {suite} {length}" for suite, length in TRANSFERS)}
    return [each for each in (*goals.bulk(quick=False), *goals.handshakes(quick=False)) if each.name in names]


def find(crew: Crew, rounds: int, tries: int, seconds: float) -> dict[str, Any]:
    """{"records": µs of a record by transfer and contender, "events": counts by kind of work and contender}."""
    return {"records": records(crew, rounds, tries, seconds), "events": events(crew)}


def alone(suite: str, length: int) -> Measurement:
    """The encryption and decryption of a transfer, which CIPHER alone can do."""
    return Measurement(f"cipher {suite} {length}", f"cipher {suite} {length} {{seconds}}", "MB/s", suite=suite)


def fewest(suite: str, length: int) -> Measurement:
    """The same transfer in C with as few copies as ours and buffers that stay: ours if Python took no time. For FEWEST alone."""
    return Measurement(f"fewest {suite} {length}", f"bulk_fewest tls13 {suite} {length} {{seconds}}", "MB/s", suite=suite)


def records(crew: Crew, rounds: int, tries: int, seconds: float) -> dict[str, dict[str, float]]:
    """µs for a record, both ends: medians of samples of C, ours, bare modules and what C alone can do, taken in turns."""
    known = {each.name: each for each in goals.bulk(quick=False)}
    order = [*everyone(crew, "module"), *(Contender("bare", name) for name in crew.equipment.bare), FEWEST, CIPHER]
    found: dict[str, dict[str, float]] = {}
    for suite, length in TRANSFERS:
        print(f"bench: the cipher's part of tls13 {suite} {length}", flush=True)
        transfer = known[f"bulk tls13 {suite} {length}"]
        others = {CIPHER: alone(suite, length), FEWEST: fewest(suite, length)}

        def ask(who: Contender, transfer: Measurement = transfer, others: Mapping[Contender, Measurement] = others) -> float:
            each = others.get(who, transfer)
            return crew.ask(who, each.command.format(seconds=transfer.longer * seconds), each.suite)["value"]

        speeds: dict[Contender, list[float]] = {}
        for number in range(rounds):
            for who, value in beside_reference(order if number % 2 == 0 else order[::-1], ask, tries).items():
                speeds.setdefault(who, []).append(value)
        found[transfer.name] = {str(who): min(length, RECORD) / statistics.median(values) for who, values in speeds.items()}
    return found


def events(crew: Crew) -> dict[str, dict[str, dict[str, int]]]:
    """What callgrind's caches and predictions miss while each kind of work is done once."""
    everybody = [REFERENCE, *(Contender("module", language) for language in crew.equipment.pythons)]
    print(f"bench: simulating the caches of {len(everybody)} contenders", flush=True)
    wanted = work()
    counted = instructions.events(crew, dict.fromkeys(everybody, wanted), *SIMULATION)
    return {each.name: {str(who): _sums(numbers[place]) for who, numbers in counted.items()} for place, each in enumerate(wanted)}


def _sums(numbers: Mapping[str, int]) -> dict[str, int]:
    return {name: sum(numbers[event] for event in parts) for name, parts in EVENTS.items()}


def rows(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What was found as text, (kind of work, who, figures), all of one length."""
    head = (("kind of work", "who", "µs a record", "beside the cipher"), ("kind of work", "who", *EVENTS))
    costs = [
        (name, who, f"{cost:.2f}", f"{cost - known[str(CIPHER)]:.2f}")
        for name, known in found["records"].items()
        for who, cost in known.items()
    ]
    counts = [
        (name, who, *(f"{number / 1e3:.1f}k" for number in numbers.values()))
        for name, known in found["events"].items()
        for who, numbers in known.items()
    ]
    table = [head[0], *costs, head[1], *counts]
    width = max(map(len, head))
    return [(*row, *[""] * (width - len(row))) for row in table]
