# SPDX-License-Identifier: Apache-2.0
"""One row of the demo: install in a fresh root, prove, switch off, remove, compare."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit import releases, roots, tree, wheels
from toolkit.index import Index
from toolkit.managers import Apt, Dnf, Manager
from toolkit.roots import Recipe, Root

HYBRID = "X25519MLKEM768"
#: Name of each loopback index and the groups it accepts; both accept TLS 1.3 only.
INDEXES: Mapping[str, str] = {"TLS 1.3": "", HYBRID: HYBRID}
STATES = ("before", "installed", "off", "removed")
_COMMAND = "/usr/bin/tls-bootstrap"
_WORK = "/tmp/demo"
_OFF = {"TLS_BOOTSTRAP_PIP": "0"}


#: Imports our modules and writes their byte code of this kind, but no other module's: the distributions do not
#: ship their libraries' optimised byte code, and what root's python -O leaves of that is not ours. So all that ours
#: import is loaded first, in a first process that tells what that is, without writing.
COMPILE_OURS = """
import subprocess, sys
load = "import _tls_bootstrap, _tls_bootstrap_pip_finder, _tls_bootstrap_pip.interception, _tls_bootstrap_pip.replacement"
tell = "; import sys; print(' '.join(n for n in sys.modules if sys.modules[n] and not n.startswith('_tls')))"
for name in subprocess.check_output([sys.executable, "-B", "-c", load + tell]).decode().split():
    try:
        __import__(name)
    except ImportError:
        pass
sys.dont_write_bytecode = False
for name in [name for name in sys.modules if name.startswith("_tls")]:
    del sys.modules[name]
exec(load)
"""


@dataclass(frozen=True)
class Pip:
    """One system pip: what is typed, and where a module for its interpreter is installed."""

    label: str
    command: str
    python: str
    site: str


@dataclass(frozen=True)
class Row:
    """What one root proves."""

    name: str
    recipe: Recipe
    #: Whose repositories are added; several where the root stands for parts of them.
    releases: tuple[str, ...]
    pips: tuple[Pip, ...]
    #: What is typed behind ``install``; the rest comes by dependency.
    packages: tuple[str, ...]
    #: What the check is told: pips outside package management count when they are named.
    check: tuple[str, ...] = ()
    #: Whether the root's own ssl has the hybrid group already.
    has_hybrid: bool = False
    note: str = ""

    def manager(self, root: Root) -> Manager:
        """This root's package manager."""
        served = [releases.by_name(name) for name in self.releases]
        return Apt(root, served[0]) if served[0].family == "deb" else Dnf(root, served)


_DEBIAN3 = "/usr/lib/python3/dist-packages"
_DEBIAN2 = "/usr/lib/python2.7/dist-packages"

ROWS = (
    Row(
        "bullseye-3.9", roots.BULLSEYE, ("bullseye",),
        (Pip("3.9 pip 20.3.4 debundled", "/usr/bin/pip3", "/usr/bin/python3", _DEBIAN3),), ("tls-bootstrap-pip",),
    ),
    Row(
        "bullseye-2.7", roots.BULLSEYE_PYTHON2, ("bullseye",),
        (Pip("2.7.18 pip 20.3.4", "/usr/local/bin/pip2", "/usr/bin/python2.7", _DEBIAN2),),
        ("tls-bootstrap", "python2-tls-bootstrap-pip"), check=("--pip", "/usr/local/bin/pip2"),
    ),
    Row(
        "trixie-3.13", roots.TRIXIE, ("trixie",),
        (Pip("3.13 pip 25.1.1 truststore", "/usr/bin/pip3", "/usr/bin/python3", _DEBIAN3),), ("tls-bootstrap-pip",),
        has_hybrid=True, note="its OpenSSL 3.5 has X25519MLKEM768 itself",
    ),
    Row(
        "rpm-root", roots.RPM, ("el9", "el8"),
        (
            Pip("3.9 pip 21.2.3", "/usr/bin/pip3", "/usr/bin/python3.9", "/usr/lib64/python3.9/site-packages"),
            Pip("2.7.18 pip 9.0.3", "/usr/bin/pip2", "/usr/bin/python2.7", "/usr/lib64/python2.7/site-packages"),
        ),
        ("tls-bootstrap-pip", "python2-tls-bootstrap-pip"),
        note="real dnf, rpm and packages (RHEL 9's, for Python 2.7 RHEL 8's); the system's content is Debian's with EL's paths",
    ),
)


@dataclass
class Download:
    """One run of pip against one index, and what both ends saw of it."""

    pip: str
    index: str
    state: str
    user: str
    succeeded: bool
    #: The connection that carried the wheel was made by _tls_bootstrap: equal exporter values.
    matched: bool
    #: How many the index completed and refused.
    handshakes: int
    refused_handshakes: int
    protocol: str = ""
    cipher: str = ""
    group: str = ""
    message: str = ""


@dataclass
class Result:
    """All that a row showed, and everything that was not as required."""

    row: str
    manager: str
    note: str
    downloads: list[Download] = field(default_factory=list)
    #: Exit status of ``tls-bootstrap check`` in each state; None where the command is not there.
    checks: dict[str, int | None] = field(default_factory=dict)
    installed: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    compared_paths: int = 0
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the report file."""
        return asdict(self)


class _Trial:
    def __init__(self, row: Row, root: Root, tell: Callable[[str], None]) -> None:
        self.row = row
        self.root = root
        self.tell = tell
        self.nonce = secrets.token_bytes(32)
        self.manager = row.manager(root)
        self.result = Result(row.name, self.manager.name, row.note)
        self._count = 0

    def require(self, holds: bool, text: str) -> None:
        if not holds:
            self.result.problems.append(text)

    def download(self, pip: Pip, index: Index, name: str, state: str, user: str, off: bool) -> Download:
        """Let pip fetch the wheel, and match what it traced with what the index recorded."""
        self._count += 1
        place = f"{_WORK}/{user}-{self._count}"
        self.root.make_directory(place, mode=0o700, user=user)
        header = json.dumps({"tls-bootstrap-trace": 1, "nonce": self.nonce.hex()}) + "\n"
        trace = self.root.write(f"{place}/trace", header, mode=0o600, user=user)
        index.connections()
        done = self.root.run(
            [
                pip.command, "--disable-pip-version-check", "download", "--no-deps", "--retries", "0", "--timeout", "30",
                "--index-url", index.url, "--cert", f"{_WORK}/{name}.pem", "--dest", f"{place}/got", wheels.SERVED,
            ],
            user=user,
            environment={"TLS_BOOTSTRAP_TRACE": f"{place}/trace", **(_OFF if off else {})},
            check=False,
        )
        served = index.connections()
        wheel = wheels.path(wheels.SERVED).name
        got = self.root.path / place.lstrip("/") / "got" / wheel
        carriers = [connection for connection in served if wheel in connection["files"]]
        traced = [json.loads(line) for line in trace.read_text().splitlines()[1:]]
        ours = {
            line["exporter"]: line for line in traced if line["module"].startswith(f"{pip.site}/_tls_bootstrap/")
        }
        pairs = [(connection, ours[connection["exporter"]]) for connection in carriers if connection["exporter"] in ours]
        agreed = all(there["protocol"] == here["protocol"] for there, here in pairs)
        last = carriers[-1] if carriers else {}
        return Download(
            pip=pip.label, index=name, state=state, user=user,
            succeeded=done.status == 0 and got.exists(),
            matched=bool(carriers) and len(pairs) == len(carriers) and agreed,
            handshakes=sum(connection["handshake"] for connection in served),
            refused_handshakes=sum(not connection["handshake"] for connection in served),
            protocol=last.get("protocol", ""), cipher=last.get("cipher", ""), group=last.get("group", ""),
            message="" if done.status == 0 else done.last_line(),
        )

    def litter(self) -> None:
        """As root, run all else that could leave files behind: byte code of every kind, the record."""
        for pip in self.row.pips:
            for option in ("-B", "-BO", "-BOO"):
                self.root.run([pip.python, option, "-c", COMPILE_OURS])
            self.root.run([_COMMAND, "pip", "--python", pip.python, "--version"])
        self.root.run([_COMMAND, "check", "--quiet", "--record", *self.row.check])
        self.root.run([_COMMAND, "status"])

    def check(self, state: str, user: str, off: bool) -> int | None:
        """Exit status of the check as ``user``; None when there is no such command."""
        if not (self.root.path / _COMMAND.lstrip("/")).exists():
            return None
        return self.root.run(
            [_COMMAND, "check", "--json", *self.row.check], user=user, environment=_OFF if off else None, check=False
        ).status

    def state(self, state: str, indexes: Mapping[str, Index], *, user: str = roots.USER) -> None:
        """All pips against all indexes, and the check, in one state of the system."""
        off = state == "off"
        expected_use = state == "installed"
        for pip in self.row.pips:
            for name, index in indexes.items():
                seen = self.download(pip, index, name, state, user, off)
                self.result.downloads.append(seen)
                may_succeed = name != HYBRID or expected_use or self.row.has_hybrid
                where = f"{self.row.name}, {state}, {user}: {pip.label} at the {name} index"
                outcome = "succeeds" if may_succeed else "fails"
                self.require(seen.succeeded == may_succeed, f"{where}: expected that it {outcome}: {seen.message}")
                self.require(
                    seen.matched == expected_use,
                    f"{where}: expected {'the' if expected_use else 'no'} connection of _tls_bootstrap",
                )
                self.require(
                    may_succeed or seen.refused_handshakes > 0, f"{where}: failed for another reason than the handshake"
                )
        expected = {"installed": 0, "off": 2}.get(state)
        status = self.check(state, user, off)
        self.result.checks[state if user == roots.USER else f"{state} as {user}"] = status
        self.require(status == expected, f"{self.row.name}, {state}, {user}: check exited {status}, expected {expected}")
        succeeded = sum(seen.succeeded for seen in self.result.downloads if (seen.state, seen.user) == (state, user))
        total = len(self.row.pips) * len(indexes)
        self.tell(f"{state} ({user}): {succeeded} of {total} downloads succeed, check exits {_status(status)}")


def _status(status: int | None) -> str:
    return "absent" if status is None else str(status)


def run(
    row: Row, work: Path, tree_under_test: Path, repositories: Path, url: str, tell: Callable[[str], None]
) -> Result:
    """Run one row in ``work`` and return what it showed; the root is removed afterwards.

    ``repositories`` is what ``url`` serves. Raises CommandError when a step that must
    work does not.
    """
    log = work / f"{row.name}.log"
    log.unlink(missing_ok=True)
    tell("unpacking the root")
    root = roots.unpack(row.recipe, work / "roots" / row.name, log)
    try:
        return _run(_Trial(row, root, tell), work, tree_under_test, repositories, url)
    finally:
        root.remove()


def _run(trial: _Trial, work: Path, tree_under_test: Path, repositories: Path, url: str) -> Result:
    row, root, manager, result = trial.row, trial.root, trial.manager, trial.result
    before = tree.snapshot(root.path)
    root.make_directory(_WORK)
    with contextlib.ExitStack() as stack:
        indexes = {
            name: stack.enter_context(Index(
                tree=tree_under_test, wheel=wheels.path(wheels.SERVED),
                authority=root.path / _WORK.lstrip("/") / f"{name}.pem", nonce=trial.nonce, groups=groups,
                log=work / f"{row.name}-index.log",
            ))
            for name, groups in INDEXES.items()
        }
        trial.state("before", indexes)

        manager.add_repository(repositories, url)
        manager.refresh()
        manager.install(row.packages)
        result.installed = manager.installed()
        trial.tell(f"{manager.name} installed {' '.join(result.installed)}")
        trial.state("installed", indexes)
        trial.state("off", indexes)
        # Root writes byte code wherever it may; removal must not leave any of it.
        trial.state("installed", indexes, user="root")
        trial.litter()

        manager.remove(row.packages)
        left = manager.installed()
        trial.require(not left, f"{row.name}: still installed after removal: {' '.join(left)}")
        manager.remove_repository()
        trial.tell(f"{manager.name} removed everything")
        trial.state("removed", indexes)
    root.run(["rm", "-rf", _WORK])
    after = tree.snapshot(root.path)
    result.compared_paths = len(after)
    result.differences = tree.compare(before, after)
    trial.require(
        not result.differences,
        f"{row.name}: the root differs after removal: " + "; ".join(result.differences[:10]),
    )
    trial.tell(f"compared {len(after)} paths with those before: {len(result.differences)} differ")
    return result
