# SPDX-License-Identifier: Apache-2.0
"""The gate of foreign machines: a portable build for another architecture works there, as far as qemu is that machine.

A root of that architecture is extracted (nothing in it is run while it is made), and its Python 2.7 and 3.9 load the
build under qemu-user: an import, a handshake, and the core part of the unit suite. It is emulation, and says so.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError
from toolkit import interpreters
from toolkit.audit.certificates import make_certificates
from toolkit.audit.model import PAYLOADS, Build, Gate, Verdict, builds
from toolkit.audit.run import Run, all_interpreters, failures, run, summary
from toolkit.commands import run as run_tool
from toolkit.roots import mirror

#: What uname calls a machine -> what Debian calls it.
DEBIAN_NAMES = {"aarch64": "arm64", "x86_64": "amd64"}
SUITE = "bullseye"
PACKAGES = (
    "python3", "python3-distutils", "python2.7-minimal", "libpython2.7-stdlib", "libssl1.1", "libffi7", "libexpat1", "zlib1g",
)  # fmt: skip
VERSIONS = {3: "3.9", 2: "2.7"}

#: The part of the unit suite that starts no programs of its own: those would have to be of the foreign machine too.
SUITE_PART = tuple(f"tests/unit/test_{name}.py" for name in ("memory_bio", "handshake", "certificates", "sessions"))

PROGRAM = """
import platform, sys
sys.path.append(sys.argv[1])
import _tls_bootstrap as tls, handshakes
print(handshakes.handshake(tls, sys.argv[2]), platform.machine(), tls.OPENSSL_VERSION)
"""


def emulator(arch: str) -> str:
    """The path of qemu's user mode for a machine. Raises BuildError."""
    found = shutil.which(f"qemu-{arch}-static") or shutil.which(f"qemu-{arch}")
    if not found:
        raise BuildError(f"qemu-{arch}-static is not installed: install qemu-user-static to examine builds for {arch}")
    return found


def root(arch: str) -> Path:
    """A root of a foreign machine from the cache."""

    def make(directory: str) -> None:
        print(f"audit: extracting a root of {SUITE} for {arch} into the cache", flush=True)
        target = Path(directory, "root")
        command = ["mmdebstrap", "--mode=root", f"--architectures={DEBIAN_NAMES[arch]}", "--variant=extract"]
        command += ['--aptopt=APT::Sandbox::User "root"', f"--include={','.join(PACKAGES)}", SUITE, str(target), mirror()]
        run_tool(command)
        # The tests' openssl is this machine's own: qemu cannot start a second program of its machine.
        (target / "usr" / "bin" / "openssl").unlink(missing_ok=True)

    key = cache.key_of(arch, SUITE, *PACKAGES)
    return Path(cache.entry("foreign-roots", key, make), "root")


def in_root(build: Build, place: Path, words: list[str], *paths: str) -> Run:
    """Run the root's Python of the build's major under qemu."""
    command = [emulator(build.arch), "-L", place, place / "usr" / "bin" / f"python{VERSIONS[build.major]}", "-s", *words]
    return run(command, {"PYTHONPATH": ":".join([str(build.tree), *paths])}, 900)


def examine(build: Build) -> Verdict | None:
    """The gate on one build; None for one of this machine's own."""
    return None if build.native else judge(build)


def judge(build: Build) -> Verdict:
    """Import and handshake, then the suite."""
    verdict = Verdict("foreign machine", build.label)
    place = root(build.arch)
    with tempfile.TemporaryDirectory() as certificates:
        make_certificates(_native_twin(build), certificates)
        done = in_root(build, place, ["-c", PROGRAM, str(PAYLOADS.resolve()), certificates])
    verdict.seen.append(done.output.strip())
    told = done.output.replace("'", "").replace(",", "")
    if done.status != 0 or not re.search(rf"TLSv1\.3 {build.arch} OpenSSL {re.escape(build.openssl or '')} ", told):
        verdict.findings.append(f"import and handshake: {done.complaint()}")
        return verdict
    tests = interpreters.pytest_directory(_interpreter(VERSIONS[build.major]))
    done = in_root(build, place, ["-m", "pytest", "-q", "-rfEs", *SUITE_PART], str(tests))
    verdict.seen.append(f"{' '.join(SUITE_PART)} on Python {VERSIONS[build.major]} under qemu: {summary(done)}")
    verdict.findings += failures("unit suite, core part", done)
    return verdict


def _native_twin(build: Build) -> Build:
    return next(item for item in builds() if item.native and item.flavour == "bundled" and item.major == build.major)


def _interpreter(version: str) -> interpreters.Interpreter:
    """This machine's interpreter of the same version: the one that the tests' pytest is chosen by."""
    for item in all_interpreters():
        if item.language == version:
            return item
    raise BuildError(f"no Python {version} is here, by which the pytest for the root's would be chosen")


def control() -> Verdict:
    """This machine's own build in the foreign root: refused by name before it is loaded."""
    verdict = Verdict("foreign machine", "control")
    for build in builds():
        if not build.native and build.major == 3:
            place = root(build.arch)
            other = _native_twin(build)
            done = in_root(Build("control", other.tree, 3, "bundled", build.arch), place, ["-c", "import _tls_bootstrap"])
            verdict.findings.append(f"a build for another machine: {done.complaint()}")
    return verdict if verdict.findings else Verdict("foreign machine", "control", ["no foreign build: is for another machine"])


GATE = Gate(
    "foreign machine",
    "a build for another machine works there, under qemu",
    examine,
    control,
    ("is for another machine",),
)
