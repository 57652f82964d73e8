# SPDX-License-Identifier: Apache-2.0
"""Brings built trees up to date with little noise: progress on the terminal, the compile lines in a log.

"portable" is this machine's architecture alone, unless another --arch is given.

    python -m toolkit.builds build|system|portable ...
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from openssl.errors import BuildError, run_main

LOGS = Path("build", "log")
COMMANDS = {
    "build": [sys.executable, "-m", "core.build"],
    "system": [sys.executable, "-m", "core.build", "--flavour", "system"],
    "portable": [sys.executable, "-m", "toolkit.portable", "--arch", os.uname().machine],
}


def bring_up_to_date(name: str, *more: str) -> None:
    """Run one of COMMANDS with `more` arguments; what it prints goes to build/log/make-NAME.log. Raises BuildError."""
    started = time.monotonic()
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"make-{'-'.join([name, *more[-1:]])}.log"
    print(f"make {' '.join([name, *more])}: log in {log}", flush=True)
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen([*COMMANDS[name], *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in process.stdout or ():
            stream.write(line)
            if line.startswith(("openssl ", "python ", "tools:", "waiting ")):
                print(line, end="", flush=True)
    if process.wait():
        tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-15:])
        raise BuildError(f"make {name} failed; see {log}\n{tail}")
    print(f"make {name}: done in {time.monotonic() - started:.0f} s", flush=True)


def compile_for(python: str, major: int, output: Path) -> Path:
    """The tree below `output` of a `_core` compiled with one interpreter's headers. Raises BuildError."""
    chosen = {"PYTHON3": "", "PYTHON2": "", f"PYTHON{major}": python, "PYTHONPATH": "src"}
    environment = {name: value for name, value in os.environ.items() if name != "PREBUILT"} | chosen
    command = [*COMMANDS["build"], "--output", str(output)]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"compiling for {python} failed: {done.stdout[-800:]}")
    return (output / f"py{major}").resolve()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.builds", description="Build quietly.")
    parser.add_argument("names", nargs="+", choices=list(COMMANDS))
    for name in parser.parse_args(arguments).names:
        bring_up_to_date(name)
    return 0


if __name__ == "__main__":
    run_main(main)
