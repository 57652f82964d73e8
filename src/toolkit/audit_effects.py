# SPDX-License-Identifier: Apache-2.0
"""The gate of side effects: importing and first using the module changes nothing for the rest of the process.

Measured by tests/isolation/effects.py on every interpreter: alone, beside `ssl`, and on a kernel that has no getrandom.
"""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.build import PACKAGE
from openssl.errors import BuildError
from toolkit.audit_certificates import make_certificates
from toolkit.audit_model import PAYLOADS, Build, Gate, Verdict
from toolkit.audit_run import Run, all_interpreters, compiled, interpreters_for, on_all, run
from toolkit.interpreters import Interpreter

PROGRAM = PAYLOADS / "effects.py"
#: KiB of resident memory that the import may add.
RESIDENT_LIMIT = 2560
#: What a first use may read: the policy, the system's authorities, the certificates it was given.
READ_IN_USE = re.compile(r"/etc/tls-bootstrap/openssl\.cnf |/etc/(ssl|pki)/|/usr/(share|lib)/(ssl|ca-certificates)")


@dataclass(frozen=True)
class Situation:
    """How a process is that imports the module."""

    name: str
    neighbours: tuple[str, ...] = ()
    old_kernel: bool = False


SITUATIONS = (
    Situation("alone"),
    Situation("beside ssl", ("ssl", "hashlib")),
    Situation("no getrandom", (), True),
)
#: Sharing OpenSSL with ssl is the purpose of the system flavour; what counts is what it changes for ssl.
SHARED = (SITUATIONS[1],)


def start(interpreter: Interpreter, tree: Path, module: str, situation: Situation, certificates: str, **variables: str) -> Run:
    """One process of effects.py."""
    shim = str(compiled("shim"))
    command = [interpreter.path, "-s", "-W", "ignore", str(PROGRAM), shim, certificates, module, *situation.neighbours]
    variables |= {"PYTHONPATH": str(tree), "LD_PRELOAD": shim, "PYTHONHASHSEED": "0"}
    if situation.old_kernel:
        variables["AUDIT_NO_GETRANDOM"] = "1"
        command = ["setarch", "--uname-2.6", *command]
    return run(command, variables)


def allowed(stage: str, kind: str, detail: str, situation: Situation, certificates: str) -> bool:
    """Whether an effect is one that the design allows."""
    if kind != "open":
        return False
    if stage == "import":
        return bool(re.match(r"/proc/sys/crypto/fips_enabled by (lib)?python", detail))
    if detail.startswith("/dev/urandom by ") and situation.old_kernel:
        return True
    return detail.startswith(certificates) or bool(READ_IN_USE.match(detail))


def findings(done: Run, situation: Situation, certificates: str) -> Iterator[str]:
    """What one process reports that must not be."""
    if done.status != 0:
        yield done.complaint()
        return
    report = json.loads(done.output)
    for stage, kind, detail in report["effects"]:
        if not allowed(stage, kind, detail, situation, certificates):
            yield f"{stage}: {kind}: {detail}"
    if situation is SITUATIONS[0] and report["resident"] > RESIDENT_LIMIT:
        yield f"import: resident memory: {report['resident']} KiB, at most {RESIDENT_LIMIT}"
    if situation.old_kernel and not report["refused"]:
        yield "the kernel without getrandom was not asked: nothing is shown"


def examine(build: Build) -> Verdict | None:
    """The gate on one build, on every interpreter that it is for."""
    if not build.native:
        return None
    verdict = Verdict("side effects", build.label)
    situations = SITUATIONS if build.flavour == "bundled" else SHARED
    tasks = [(interpreter, situation) for interpreter in interpreters_for(build) for situation in situations]
    compiled("shim")
    with tempfile.TemporaryDirectory() as certificates:
        make_certificates(build, certificates)
        installed = _as_installed(build, Path(certificates, "installed"))

        def work(task: tuple[Interpreter, Situation]) -> Run:
            return start(task[0], installed, "_tls_bootstrap", task[1], certificates)

        for (interpreter, situation), done in zip(tasks, on_all(work, tasks)):
            where = f"{interpreter.name}, {situation.name}"
            verdict.findings += [f"{where}: {text}" for text in findings(done, situation, certificates)]
            verdict.seen.append(f"{where}: {done.output.strip()}")
    return verdict


def _as_installed(build: Build, directory: Path) -> Path:
    """A copy of the tree with byte code, as a package installs it: compiling takes memory that a user does not see."""
    shutil.copytree(build.package, directory / PACKAGE)
    for interpreter in interpreters_for(build):
        done = run([interpreter.path, "-m", "compileall", "-q", str(directory)], {})
        if done.status:
            raise BuildError(f"compiling {build.package} with {interpreter.path} {done.complaint()}")
    return directory


def control() -> Verdict:
    """A module with planted effects, on the oldest and the newest interpreter."""
    verdict = Verdict("side effects", "control")
    library = str(compiled("planted"))
    chosen = all_interpreters()
    if not chosen:
        raise BuildError("no interpreter is here to run the control")
    for interpreter in (chosen[0], chosen[-1]):
        with tempfile.TemporaryDirectory() as directory:
            segment = Path(directory, "segment")
            plants = {"PLANTED_LIBRARY": library, "PLANTED_SEGMENT": str(segment)}
            situation = Situation("planted", ("ssl",))
            done = start(interpreter, PAYLOADS.resolve() / "planted", "planted_effects", situation, directory, **plants)
            verdict.findings += [f"{interpreter.name}: {text}" for text in findings(done, situation, directory)]
            if segment.exists():
                ctypes.CDLL(None).shmctl(int(segment.read_text()), 0, None)  # 0: IPC_RMID
    return verdict


#: One word of each plant's finding.
PLANTS = (
    "import: atexit: - by planted.so", "import: atfork", "import: sigaction: 13 by planted.so",
    "import: environment: PLANTED by", "import: locale: C.UTF-8 by planted.so", "import: dumpable", "import: rounding",
    "Umask", "PLANTED_TOO", "import: exit functions", "import: signals: 10", "import: warnings", "/planted",
    "import: collector", "import: socket: [None", "socket.planted added", "ssl.SSLContext bound anew", "import: random",
    "import: logging", "import: directory", "use: thread", "use: open: /dev/urandom", "use: descriptors", "(inheritable)",
    "use: shared memory: - by planted.so", "use: shared memory: [", "use: openssl of others",
)  # fmt: skip

GATE = Gate("side effects", "importing and first using the module changes nothing for the process", examine, control, PLANTS)
