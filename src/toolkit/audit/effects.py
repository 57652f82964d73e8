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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.build import PACKAGE
from openssl.errors import BuildError
from toolkit.audit.certificates import PROGRAM as MAKE_CERTIFICATES
from toolkit.audit.certificates import make_certificates
from toolkit.audit.model import NATIVE, PAYLOADS, Build, Gate, Verdict
from toolkit.audit.roots import NEWEST, PROGRAMS, Place, opened
from toolkit.audit.run import Run, all_interpreters, compiled, interpreters_for, on_all, run
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


#: In a root.
CERTIFICATES = "/certificates"
INSTALLED = "/installed"


def start_in_root(place: Place, version: str, tree: str, situation: Situation) -> Run:
    """The same on a Python of a release, in its root."""
    library = f"{PROGRAMS}/shim.so"
    certify = ["sh", "-c", 'mkdir "$0" && exec "$1" -c "$2" "$0"', CERTIFICATES, f"/usr/bin/python{version}", MAKE_CERTIFICATES]
    prepared = (
        (library, ["gcc", "-shared", "-fPIC", "-O1", f"{PROGRAMS}/shim.c", "-o", library, "-ldl", "-pthread"]),
        (CERTIFICATES, certify),
    )
    for path, words in prepared:
        if not place.outside(path).exists():
            done = place.run(words, {"PYTHONPATH": tree})
            if done.status != 0:
                raise BuildError(f"{place.suite}: preparing {path} {done.complaint()}")
    words = [f"/usr/bin/python{version}", "-s", "-W", "ignore", f"{PROGRAMS}/effects.py", library, CERTIFICATES]
    variables = {"PYTHONPATH": tree, "LD_PRELOAD": library, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    if situation.old_kernel:
        variables["AUDIT_NO_GETRANDOM"] = "1"
        words = ["setarch", "--uname-2.6", *words]
    done = place.run([*words, "_tls_bootstrap", *situation.neighbours], variables)
    # Both streams are one there; the report is the last line.
    return done if done.status != 0 else Run(0, done.output.strip().splitlines()[-1], "")


def on_the_newest(build: Build, situations: Sequence[Situation]) -> Iterator[tuple[str, Situation, Run]]:
    """The runs on the newest release's Python."""
    suite, version = NEWEST
    place = opened(suite)
    place.bring(build.package, f"{INSTALLED}/{PACKAGE}")
    place.run([f"/usr/bin/python{version}", "-m", "compileall", "-q", INSTALLED], {})
    for situation in situations:
        yield f"{version} ({suite})", situation, start_in_root(place, version, INSTALLED, situation)


def allowed(stage: str, kind: str, detail: str, situation: Situation, certificates: str) -> bool:
    """Whether an effect is one that the design allows."""
    if kind != "open":
        return False
    if stage == "import":
        return bool(re.match(r"/proc/sys/crypto/fips_enabled by (lib)?python", detail))
    if detail.startswith("/dev/urandom by ") and situation.old_kernel:
        return True
    return detail.startswith(certificates) or bool(READ_IN_USE.match(detail))


#: Label of a build -> (KiB that its import added at most, where).
added: dict[str, tuple[int, str]] = {}


def note_memory(build: Build, where: str, done: Run, situation: Situation) -> None:
    """Keep the largest figure of a build that was imported alone."""
    if done.status == 0 and situation is SITUATIONS[0]:
        added[build.label] = max(added.get(build.label, (0, "")), (json.loads(done.output)["resident"], where))


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
            note_memory(build, interpreter.name, done, situation)
        if build.label == f"portable/{NATIVE}/py3":
            for name, situation, done in on_the_newest(build, situations):
                where = f"{name}, {situation.name}"
                verdict.findings += [f"{where}: {text}" for text in findings(done, situation, CERTIFICATES)]
                verdict.seen.append(f"{where}: {done.output.strip()}")
                note_memory(build, name, done, situation)
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
