# SPDX-License-Identifier: Apache-2.0
"""`make lint`: ruff on all Python, the target side's language floor, the C's format, its warnings as errors, rpmlint on the specs.

What lintian and rpmlint say of the packages themselves is examined where packages are made: make debian-checks, make test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from openssl.errors import BuildError, run_main
from toolkit import tools

#: What runs under a frozen system Python or inside a distribution's build.
TARGET_SIDE = ("src/_tls_bootstrap", "src/pip_hook", "src/command", "src/core", "src/openssl")
#: C, by .clang-format.
FORMATTED = ("src/core", "tests/bench", "tests/build", "tests/isolation")

#: Names that the code uses only after finding out that they are there, on the side that has them.
GUARDED = (
    "builtins", "__builtin__", "TimeoutError", "enum", "enum.IntFlag", "ipaddress", "memoryview.cast", "urllib2", "urllib2.urlopen",
    "urllib2.urlopen(timeout)", "urllib.request", "importlib.machinery.ModuleSpec", "importlib.machinery.PathFinder.find_spec",
)  # fmt: skip


def checks() -> dict[str, tuple[list[str], dict[str, str]]]:
    """Name of each check -> its command, and the environment variables it needs."""
    vermin, clang_format = ([tools.python(), str(tools.environment() / "bin" / name)] for name in ("vermin", "clang-format"))
    # _compat.py is where the versions differ: by design no single version has all that it names.
    found = (path for place in TARGET_SIDE for path in sorted(Path(place).rglob("*.py")))
    sources = [str(path) for path in found if path.name != "_compat.py"]
    formatted = [str(path) for place in FORMATTED for path in sorted(Path(place).glob("*.[ch]"))]
    guarded = [word for name in GUARDED for word in ("--exclude", name)]
    specs = sorted(str(path) for path in Path("rpm").glob("*.spec"))
    return {
        "ruff": ([*tools.command("ruff"), "check", "--no-cache", "."], {}),
        "vermin (2.7 and 3.4)": ([*vermin, "-t=2.7-", "-t=3.4-", "--violations", "--no-tips", "--quiet", *guarded, *sources], {}),
        "clang-format": ([*clang_format, "--dry-run", "--Werror", *formatted], {}),
        "rpmlint": (["/usr/bin/rpmlint", "--config", "rpm/tls-bootstrap.rpmlintrc.toml", *specs], {}),
        "C warnings": ([sys.executable, "-m", "core.build", "--output", "build/lint"], {"WERROR": "1"}),
    }


def main(arguments: list[str]) -> int:
    if arguments:
        raise BuildError("make lint takes no arguments")
    failed = []
    for name, (command, variables) in checks().items():
        try:
            done = subprocess.run(
                command, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
        except FileNotFoundError as error:
            raise BuildError(f"{name}: {error.filename} is not there; make deps installs it") from error
        print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {name}", flush=True)
        if done.returncode:
            print(done.stdout)
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    run_main(main)
