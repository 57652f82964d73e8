# SPDX-License-Identifier: Apache-2.0
"""One cell of the pip matrix: run pip, and compare what its trace claims with what the servers saw.

Each end computes the TLS exporter value of a connection (RFC 8446 section 7.5, RFC 5705) from the secrets of that
handshake and the cell's nonce. A cell is proven when pip did what it was asked to and the values of both ends are the
same set: every connection that reached a server of the cell was made by `_tls_bootstrap`, and none by anything else.
"""

from __future__ import annotations

import collections
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from toolkit.pip_matrix.index import ANY, CellServers, Connection, Identity
from toolkit.pip_matrix.operations import DOWNLOAD, INTERRUPTED, OPERATIONS, Attempt, Help, NotApplicable
from toolkit.pip_matrix.places import HOOK, TIME_LIMIT, Done, Place

PROVEN, NOT_APPLICABLE, EXPLAINED, NOT_PROVEN, NOT_RUN = "proven", "n/a", "explained", "NOT PROVEN", "not run"
OFF = {"TLS_BOOTSTRAP_PIP": "0"}


@dataclass
class Cell:
    """What one run of one pip showed."""

    pip: str
    mode: str
    operation: str
    index: str
    status: str = NOT_PROVEN
    why: str = ""
    seconds: float = 0
    connections: list[dict[str, Any]] = field(default_factory=list)
    output: str = ""


@dataclass
class _Run:
    done: Done
    trouble: str
    evidence: str
    connections: list[dict[str, Any]]


class Helps:
    """What each pip's --help says, asked once for a version."""

    def __init__(self) -> None:
        self._known: dict[str, Help] = {}
        self._locks: dict[str, threading.Lock] = collections.defaultdict(threading.Lock)

    def of(self, place: Place) -> Help:
        """The help of the pip of this place."""
        key = f"{place.target.kind} {place.target.pip}"
        with self._locks[key]:
            if key not in self._known:
                directory = place.workspace()
                verbs = place.run(HOOK, ["--help"], {}, directory).output
                options = verbs
                for verb in ("install", "download"):
                    if re.search(rf"^\s+{verb}\s", verbs, re.MULTILINE):
                        options += place.run(HOOK, [verb, "--help"], {}, directory).output
                self._known[key] = Help(verbs, options)
            return self._known[key]


def match(connections: Sequence[Connection], trace: Sequence[dict[str, Any]], core: str) -> str:
    """What keeps this from being evidence, or nothing. ``core`` is the file that the trace has to name."""
    if not connections:
        return "no server was reached"
    unfinished = [connection for connection in connections if not connection.handshake]
    if unfinished:
        return f"{len(unfinished)} connections without a finished handshake: {unfinished[0].error}"
    ours = [line for line in trace if line.get("core") == core]
    facts = ("exporter", "protocol")
    seen = collections.Counter(tuple(getattr(connection, name) for name in facts) for connection in connections)
    told = collections.Counter(tuple(line.get(name) for name in facts) for line in ours)
    if seen != told:
        return f"{sum((seen & told).values())} of {sum(seen.values())} connections are in pip's trace, which has {len(trace)}"
    if len(ours) != len(trace):
        return f"{len(trace) - len(ours)} connections of another module than {core}"
    return ""


def _run(
    place: Place, mode: str, operation: str, kind: str, identity: Identity, known: Help, off: bool = False
) -> _Run:
    directory = place.workspace()
    try:
        with CellServers(identity, {}) as servers:
            attempt = Attempt(place, identity, servers, directory, known, kind)
            OPERATIONS[operation](attempt)
            header = json.dumps({"tls-bootstrap-trace": 1, "nonce": servers.nonce.hex()}) + "\n"
            environment = {
                "TLS_BOOTSTRAP_TRACE": place.file(directory, "trace", header.encode(), 0o600),
                "PIP_DEFAULT_TIMEOUT": "30",
                "PIP_CACHE_DIR": f"{directory[1]}/cache",
                **attempt.environment,
                **(OFF if off else {}),
            }
            try:
                done = place.run(mode, attempt.words, environment, directory, attempt.files)
            except subprocess.TimeoutExpired:
                done = Done(-1, f"pip did not end within {TIME_LIMIT} s")
        lines = (directory[0] / "trace").read_text(encoding="ascii").splitlines()[1:]
        evidence = match(servers.connections, [json.loads(line) for line in lines], place.core)
        return _Run(done, attempt.result(done), evidence, [asdict(connection) for connection in servers.connections])
    finally:
        shutil.rmtree(directory[0])


def run(place: Place, mode: str, operation: str, kind: str, identity: Identity, helps: Helps, off: bool = False) -> Cell:
    """Run one cell. ``off`` sets the off switch, which makes it a negative control."""
    cell = Cell(place.target.label, mode, operation, kind)
    started = time.monotonic()
    try:
        known = helps.of(place)
        first = _run(place, mode, operation, kind, identity, known, off)
        _judge(cell, first)
        # A download that reached the index has no excuse; anything else may be pip's own limit.
        excusable = operation != DOWNLOAD or not first.connections
        if excusable and not off and (first.trouble or operation == INTERRUPTED):
            _compare(cell, first, _run(place, mode, operation, ANY, identity, known, off=True))
    except NotApplicable as reason:
        cell.status, cell.why = NOT_APPLICABLE, str(reason)
    cell.seconds = round(time.monotonic() - started, 2)
    return cell


def _judge(cell: Cell, seen: _Run) -> None:
    cell.connections = seen.connections
    cell.why = "; ".join(text for text in (seen.trouble, seen.evidence) if text)
    cell.status = NOT_PROVEN if cell.why else PROVEN
    cell.output = seen.done.output[-4000:] if cell.why else ""


def _compare(cell: Cell, with_us: _Run, without: _Run) -> None:
    """Judge a run that failed, or was meant to, by the same run of pip over ``ssl``."""
    if not with_us.trouble or not without.trouble:
        return  # pip succeeded, or it fails only because of us
    if cell.operation == INTERRUPTED and not with_us.evidence:
        cell.status = PROVEN
        cell.why = f"fails as it does without the hook: {with_us.done.last_line()} (without: {without.done.last_line()})"
    else:
        cell.status, cell.why = EXPLAINED, f"fails without the hook too: {without.trouble} (with it: {with_us.trouble})"
