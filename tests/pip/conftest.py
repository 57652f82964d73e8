# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from loopback import Index
from toolkit.pip_matrix.files import make_sdist, make_wheel
from toolkit.pip_matrix.installations import Installation, install_command, programs

REACH = Path(__file__).with_name("reach.py")


@pytest.fixture(scope="session")
def workplace() -> Iterator[Path]:
    """A directory that every user can enter: the check's children run as another user."""
    path = Path(tempfile.mkdtemp(prefix="tls-bootstrap-pip-tests-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def launcher(workplace: Path) -> Path:
    return install_command(workplace / "command")


@pytest.fixture(scope="session")
def index(workplace: Path) -> Iterator[Index]:
    files = dict([make_wheel("tb-sample"), make_wheel("tb-build-needs"), make_sdist("tb-source", "tb-build-needs")])
    with Index(workplace, files) as running:
        yield running


@pytest.fixture
def make(workplace: Path) -> Iterator[Callable[[str], Installation]]:
    """make("3.9") -> a new Installation, removed after the test; skips where that Python is missing."""
    made: list[Path] = []

    def make_installation(version: str) -> Installation:
        if version not in programs():
            pytest.skip(f"this machine has no Python {version}")
        made.append(Path(tempfile.mkdtemp(dir=workplace, prefix=f"{version}-")))
        made[-1].chmod(0o755)
        return Installation(made[-1] / "python", version)

    yield make_installation
    for path in made:
        shutil.rmtree(path)


class PipRun:
    """A finished pip with the trace that it left and what the index saw of it."""

    def __init__(self, done: subprocess.CompletedProcess[str], trace: Path, connections: int) -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        lines = trace.read_text(encoding="ascii").splitlines() if trace.exists() else []
        self.traced = [json.loads(line) for line in lines]
        self.connections = connections

    @property
    def hook_lines(self) -> list[str]:
        return [line for line in (self.out + self.err).splitlines() if "tls-bootstrap" in line]

    def assert_all_ours(self) -> None:
        assert self.code == 0, self.err
        assert self.connections > 0
        assert len(self.traced) == self.connections, self.err

    def assert_none_ours(self) -> None:
        assert self.code == 0, self.err
        assert self.connections > 0
        assert self.traced == []


@pytest.fixture
def pip(index: Index) -> Callable[..., PipRun]:
    """pip(installation, *arguments) runs its pip against the index.

    `start` are the words between the interpreter and pip's arguments, `authority` what pip is to trust.
    The settings are in the environment, where the pip of an isolated build finds them too.
    """

    def run(installation: Installation, *arguments: str, start=("-m", "pip"), authority=None, **options) -> PipRun:
        trace = installation.root / "trace"
        trace.unlink(missing_ok=True)
        before = index.connections
        environment = {
            "TLS_BOOTSTRAP_TRACE": str(trace),
            "PIP_INDEX_URL": index.url,
            "PIP_CERT": str(authority or index.authority),
            **options.pop("environment", {}),
        }
        done = installation.run(*start, *arguments, environment=environment, **options)
        return PipRun(done, trace, index.connections - before)

    run.index = index
    return run


def reaching(command: list[str]) -> list[str]:
    """The command, run as root where other users can reach the interpreters."""
    homes = [path for path in programs().values() if ".pyenv" in path.parts]
    if not homes:
        return command
    home = str(homes[0]).partition("/.pyenv/")[0] + "/.pyenv"
    return [sys.executable, str(REACH), home, "--", *command]


@pytest.fixture
def as_nobody(index: Index) -> Callable[..., PipRun]:
    """as_nobody(installation, *arguments) runs its pip as an ordinary user, from root; in a new directory each time."""

    def run(installation: Installation, *arguments: str) -> PipRun:
        place = Path(tempfile.mkdtemp(dir=installation.root))
        os.chown(place, 65534, 65534)
        before = index.connections
        variables = {
            **installation.variables(), "HOME": str(place), "PIP_CACHE_DIR": str(place / "cache"), "PIP_INDEX_URL": index.url,
            "PIP_CERT": str(index.authority), "TLS_BOOTSTRAP_TRACE": str(place / "trace"),
        }  # fmt: skip
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = subprocess.run(
            reaching([*user, str(installation.python), "-m", "pip", *arguments]),
            capture_output=True, text=True, env=variables, cwd=place, timeout=200, check=False,
        )  # fmt: skip
        return PipRun(done, place / "trace", index.connections - before)

    return run


@pytest.fixture
def check(launcher: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """check(*arguments) runs `tls-bootstrap check`; as root, where nobody can reach the interpreters.

    `terminal` is the file descriptor that it writes to instead of to pipes, `prefix` a command that starts it.
    """

    def run(
        *arguments: str | Path,
        verb: str = "check",
        environment: dict[str, str] | None = None,
        terminal: int | None = None,
        prefix: Sequence[str] = (),
    ):
        command = [*prefix, str(launcher), verb, *map(str, arguments)]
        if os.geteuid() == 0:
            command = reaching(command)
        return subprocess.run(
            command,
            stdout=terminal or subprocess.PIPE,
            stderr=terminal or subprocess.PIPE,
            text=True,
            timeout=280,
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/", **(environment or {})},
        )

    return run
