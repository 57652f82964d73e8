# SPDX-License-Identifier: Apache-2.0
"""What is measured, and the goals: the project's promises about speed and memory as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.bench.workers import Contender

REFERENCE = Contender("C")
CONTROL = Contender("C again")

#: Pythons whose `ssl` and pyOpenSSL the goals name.
CURRENT = ("3.11", "3.13")

VERSIONS = ("tls13", "tls12")
SUITES = ("aes128", "aes256", "chacha20")
RECORD = 16384  #: bytes of data that a record has at most (RFC 8446, section 5.1)
LENGTHS = (1024, RECORD, 16 * RECORD, 64 * RECORD)

#: Bytes of a write of each of two threads: a record, for which the GIL is kept, and what it is given up for.
TOGETHER = (RECORD, 16 * RECORD)

#: What grows -> the series that tells what the largest amount costs for each unit, over the median of smaller ones.
GROWTH = {"in flight": "growth in flight", "connections": "growth connections"}


@dataclass(frozen=True)
class Measurement:
    """One kind of work. `command` has a place for {seconds}; suite and group are what it asks for.

    Its samples are `longer` times as long as others: a transfer of 1 MiB takes half a millisecond.
    """

    name: str
    command: str
    unit: str
    kinds: tuple[str, ...] = ("module", "bare", "ssl", "pyOpenSSL")
    suite: str = "aes128"
    group: str = "X25519"
    longer: int = 1


@dataclass(frozen=True)
class Goal:
    """`ours` over `other` in a measurement must be at least (or at most) `limit`; without `other`, `ours` itself.

    Where `other` itself has less than `needed`, the machine cannot show it.
    """

    measurement: str
    ours: Contender
    other: Contender | None
    limit: float
    at_most: bool = False
    needed: float = 0.0

    def text(self) -> str:
        """Such as "≥ 0.9 of C"."""
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}" + (f" of {self.other}" if self.other else "")

    def reached(self, value: float) -> bool:
        """Whether a ratio is good enough."""
        return value <= self.limit if self.at_most else value >= self.limit


def bulk(quick: bool) -> Iterator[Measurement]:
    """Application data through MemoryBIO and SSLObject."""
    for version in VERSIONS:
        for suite in SUITES:
            for length in LENGTHS:
                if quick and length != 16384 and (version, suite) != ("tls13", "aes128"):
                    continue
                name = f"bulk {version} {suite} {length}"
                command = f"bulk {version} {suite} {length} {{seconds}}"
                longer = 3 if length > RECORD else 1
                yield Measurement(name, command, "MB/s", suite=suite, longer=longer)
                if length > RECORD and not quick:  # what moves so much may have a buffer for it
                    yield Measurement(f"{name} into", f"bulk_into{command[4:]}", "MB/s", ("module", "bare"), suite, longer=longer)


def handshakes(quick: bool) -> Iterator[Measurement]:
    """Full and resumed handshakes."""
    cases = [
        ("tls13", "ec", "X25519", "full"),
        ("tls13", "rsa", "X25519", "full"),
        ("tls12", "ec", "X25519", "full"),
        ("tls12", "rsa", "X25519", "full"),
        ("tls13", "ec", "X25519MLKEM768", "full"),
        ("tls13", "rsa", "X25519MLKEM768", "full"),
        ("tls13", "ec", "X25519", "resumed"),
        ("tls12", "ec", "X25519", "resumed"),
    ]
    for version, key, group, kind in cases:
        if quick and key == "rsa" and version == "tls12":
            continue
        name = f"handshake {version} {key} {group} {kind}"
        command = f"handshake {version} {key} {group} {kind} {{seconds}}"
        bare = () if kind == "resumed" else ("bare",)  # it knows no sessions
        kinds = ("module", *bare, *(("ssl", "pyOpenSSL") if group == "X25519" else ()))
        yield Measurement(name, command, "1/s", kinds=kinds, group=group)


def sockets(quick: bool) -> Iterator[Measurement]:
    """SSLSocket.sendall and recv_into, sender and receiver being two processes, or two threads that take turns at one GIL."""
    for place in ("processes", "threads"):
        for version in VERSIONS:
            for length in (16384, 1048576):
                if quick and (version, length) != ("tls13", 16384):
                    continue
                name = f"socket {version} aes128 {length} {place}"
                yield Measurement(name, f"socket {version} aes128 {length} 16 {place}", "MB/s", kinds=("module", "bare", "ssl"))


def counted() -> Iterator[Measurement]:
    """What is counted in instructions too.

    Neither sockets, whose costs are the kernel's, nor more than a record: what is saved there is copies, few
    instructions for the time that they take.
    """
    yield from (each for each in bulk(False) if int(each.name.split()[3]) <= RECORD)
    yield from handshakes(False)


def instruction_goals(languages: tuple[str, ...]) -> Iterator[Goal]:
    """The same limits as for times: against C, and of resumed handshakes against pyOpenSSL."""
    for each in counted():
        for language in languages:
            module = Contender("module", language)
            kind, *rest = each.name.split()
            for other, limit in _limits(kind, rest, language):
                if other == REFERENCE or kind == "handshake":
                    yield Goal(f"instructions {each.name}", module, other, limit)


def goals(languages: tuple[str, ...]) -> Iterator[Goal]:
    """All goals for what is measured by standing processes."""
    for each in (*bulk(False), *sockets(False), *handshakes(False)):
        for language in languages:
            module = Contender("module", language)
            kind, *rest = each.name.split()
            for other, limit in _limits(kind, rest, language):
                # 2.7 is slower in itself; what is asked of it in bulk is four fifths of 3.11's speed.
                if (kind, language, other) != ("bulk", "2.7", REFERENCE):
                    yield Goal(each.name, module, other, limit)


def _limits(kind: str, words: list[str], language: str) -> Iterator[tuple[Contender, float]]:
    if kind == "handshake":
        resumed = words[-1] == "resumed"
        yield REFERENCE, 0.9 if not resumed else 0.8 if words[0] == "tls13" else 0.6
        if resumed and language in CURRENT:
            yield Contender("pyOpenSSL", language), 1.0
        return
    length = int(words[2])
    if kind == "socket":
        if words[3] == "processes":
            yield REFERENCE, 0.9
        if language in CURRENT:
            yield Contender("ssl", language), 1.3
        return
    yield REFERENCE, 0.5 if length == 1024 else 0.9 if length == 16384 else 1.05
    if language == "2.7":
        yield Contender("module", "3.11"), 0.8
    if language in CURRENT:
        if length == 1024:
            yield Contender("ssl", language), 1.6
            yield Contender("pyOpenSSL", language), 3.0
        elif length == 16384:
            limit = 1.2 if words[1] == "chacha20" else 2.0
            yield Contender("ssl", language), limit
            yield Contender("pyOpenSSL", language), limit


def fresh_goals(languages: tuple[str, ...]) -> Iterator[Goal]:
    """The goals for what is measured by processes of their own: imports, contexts, memory, threads, growth."""
    for language in languages:
        module, standard = Contender("module", language), Contender("ssl", language)
        yield Goal("import", module, standard, 0.5 if language == "2.7" else 0.25, at_most=True)
        yield Goal("import and touch", module, standard, 0.75, at_most=True)
        yield Goal("context first", module, REFERENCE, 1.1, at_most=True)
        yield Goal("context later", module, None, 0.4, at_most=True)
        if language in CURRENT:
            yield Goal("context later", module, standard, 0.02, at_most=True)
        for version in VERSIONS:
            yield Goal(f"memory {version} idle", module, REFERENCE, 1.1, at_most=True)
            if language in CURRENT:
                yield Goal(f"memory {version} used", module, standard, 0.75, at_most=True)
        for length in TOGETHER:
            yield Goal(f"threads {length}", module, REFERENCE, 0.9, needed=1.7)
        for name in GROWTH.values():
            yield Goal(name, module, None, 1.25, at_most=True)
