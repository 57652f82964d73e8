# SPDX-License-Identifier: Apache-2.0
"""The gate of reprotest: Debian's own tool builds twice and diffoscope explains what differs.

It varies the folder, the clock (by libfaketime), the time zone, the locale, the umask, HOME, PATH and the environment.
What is built: the C half for both Pythons by `make build`, with OpenSSL from the cache, and a release's .deb files.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.build import BINARY, PACKAGE
from openssl import cache
from openssl.errors import BuildError
from toolkit import packages_debian, releases
from toolkit.audit.model import NATIVE, RESULTS, Build, Gate, Verdict
from toolkit.audit.packages import DEBIAN
from toolkit.audit.reproducible import SOURCES
from toolkit.audit.run import all_interpreters
from toolkit.commands import CLEAN_ENVIRONMENT, run
from toolkit.packages import Source

VARIED = ("build_path", "time", "timezone", "locales", "umask", "home", "exec_path", "environment")
#: reprotest's statuses: the two builds are the same, or differ.
SAME, DIFFERENT = 0, 1
LIMIT = 1800
#: Of diffoscope's report: what only one of the builds has, and the files in which it was found.
CHANGED = re.compile(r"[│ ]*[-+](?![-+]) ")
FILES = re.compile(r"├── \+\+\+ .*/([^/\s]+\.(?:so|deb))$", re.M)
SHOWN_LINES = 4


def differences(what: str, tree: Path, command: str, artifacts: str) -> Iterator[str]:
    """What reprotest finds: the report of diffoscope, cut. Raises BuildError when it could not build twice."""
    log = (RESULTS / "log" / f"reprotest {what}.log").resolve()
    log.unlink(missing_ok=True)
    vary = f"--vary=-all,{','.join(f'+{name}' for name in VARIED)}"
    words = ["reprotest", vary, "--build-command", command, str(tree), artifacts]
    environment = {**CLEAN_ENVIRONMENT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = run(words, environment=environment, log=log, timeout=LIMIT, check=False)
    changed = [line.lstrip("│ ") for line in done.output.splitlines() if CHANGED.match(line)]
    if done.status == DIFFERENT and changed:
        names = sorted(set(FILES.findall(done.output)))
        yield f"{what}: {', '.join(names)}: {' / '.join(' '.join(line.split()) for line in changed[:SHOWN_LINES])}"
    elif done.status != SAME or "Reproduction successful" not in done.output:
        raise BuildError(f"reprotest could not build {what} twice: {done.last_line()}; see {log}")


def _native(what: str, majors: Sequence[int], change: tuple[str, str] = ("", "")) -> Iterator[str]:
    """The same for the C half, from a copy of the sources in which one text may be changed."""
    pythons = {item.version[0]: item.path for item in all_interpreters()}
    chosen = {f"PYTHON{major}": pythons[major] if major in majors else "" for major in BINARY}
    chosen.update(PYTHON=sys.executable, CACHE=cache.root())
    # A space would have to be quoted twice: for reprotest's shell and for make.
    with tempfile.TemporaryDirectory(prefix="reprotest-") as directory:
        for name in (*SOURCES, "Makefile"):
            copy = shutil.copytree if Path(name).is_dir() else shutil.copy2
            copy(name, Path(directory, name))
        module = Path(directory, "src", "core", "module.c")
        module.write_text(module.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
        command = " ".join(["make build", *(f"{name}={value}" for name, value in chosen.items())])
        binaries = " ".join(f"build/py{major}/{PACKAGE}/{name}" for major, name in BINARY.items() if major in majors)
        yield from differences(what, Path(directory), command, binaries)


def _packages() -> Iterator[str]:
    """The same for the .deb files of one release, from the portable binaries."""
    with tempfile.TemporaryDirectory(prefix="reprotest-") as directory:
        tree = packages_debian.source_tree(Source(), Path(directory), releases.by_name(DEBIAN))
        prebuilt = Source().portable(NATIVE)
        command = f"PREBUILT={prebuilt} dpkg-buildpackage --build=binary -d --unsigned-changes --unsigned-buildinfo"
        yield from differences(f"{DEBIAN}'s packages", tree, command, "../*.deb")


def examine(build: Build) -> Verdict | None:
    """The gate, once for both Pythons' files: on what `make build` makes, and on the packages of the published files."""
    how = f"built twice by reprotest, varied: {' '.join(VARIED)}"
    if build.label == "py3":
        return Verdict("reprotest", build.label, list(_native("make build", list(BINARY))), [how])
    if build.label == f"portable/{NATIVE}/py3":
        return Verdict("reprotest", build.label, list(_packages()), [f"{DEBIAN}'s packages {how}"])
    return None


def control() -> Verdict:
    """A source that tells the time at which it is compiled."""
    stamp = ('"The C half', '__DATE__ " " __TIME__ " The C half')
    return Verdict("reprotest", "control", list(_native("a build with a time stamp", [3], stamp)))


GATE = Gate(
    "reprotest",
    "Debian's reprotest finds two builds the same",
    examine,
    control,
    ("a build with a time stamp: _core.abi3.so: ",),
)
