# SPDX-License-Identifier: Apache-2.0
"""The build side's own programs (zig, pytest, ruff, abi3audit ...) in a virtual environment kept in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
#: Those of one kind of test alone.
LIFE_CYCLE = Path(__file__).with_name("requirements-life-cycle.txt")


def environment(requirements: Path = REQUIREMENTS) -> Path:
    """The directory of a virtual environment, made now if the cache lacks it. Raises BuildError."""
    if sys.version_info < (3, 9):  # noqa: UP036  (this is where an older one is told)
        raise BuildError(f"{sys.executable} is {sys.version.split()[0]}; the build side needs 3.9+: set PYTHON=")
    pinned = requirements.read_text(encoding="utf-8")
    key = cache.key_of(pinned, sys.version, os.path.realpath(sys.executable))
    return Path(cache.entry("tools", key, lambda directory: _make(directory, requirements)))


def python() -> str:
    """The interpreter of the virtual environment."""
    return str(environment() / "bin" / "python")


def command(name: str) -> list[str]:
    """The words that run a program of the virtual environment ("pytest", "ruff", ...).

    As a module: the scripts in bin/ name the directory the environment was made in, before it was renamed.
    """
    return [python(), "-m", name]


def zig() -> str:
    """The path of the zig executable itself: its Python front end costs more than compiling a small file."""
    (found,) = environment().glob("lib/python3*/site-packages/ziglang/zig")
    return str(found)


def pip_environment() -> dict[str, str]:
    """The caller's environment without what would make one pip install differ from another's."""
    drop = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV")
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    return kept | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run_quietly(command: list[str], what: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a program whose output matters only when it fails; then the error holds the end of it."""
    variables = {**pip_environment(), **(environment or {})}
    done = subprocess.run(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise BuildError(f"{what} failed: {' '.join(command)}\n{tail}")


def _make(directory: str, requirements: Path) -> None:
    print(f"tools: installing {requirements.name} into the cache", flush=True)
    run_quietly([sys.executable, "-m", "venv", directory], "making a virtual environment")
    run_quietly(
        [f"{directory}/bin/python", "-m", "pip", "install", "-q", "-r", str(requirements)], "installing the tools"
    )


def main() -> None:
    """Print the directory (`make deps` makes it ahead of need)."""
    print(environment())


if __name__ == "__main__":
    main()
