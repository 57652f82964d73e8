# SPDX-License-Identifier: Apache-2.0
"""Run external programs with a clean environment, a log file and one clear error."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: What packaging tools and chroots see. Nothing of the caller's environment leaks
#: in: a development machine may set PYTHONDONTWRITEBYTECODE or PIP_* and hide what
#: a user would get.
CLEAN_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}

_TAIL_LINES = 25
_SHOWN_COMMAND = 400


class CommandError(RuntimeError):
    """A program did not do what was asked; the text names it, its status and its log."""


@dataclass(frozen=True)
class Completed:
    """What a program left: its exit status and its output (stdout and stderr as one text)."""

    status: int
    output: str

    def last_line(self) -> str:
        """The last line that is not blank, or the empty text."""
        lines = [line for line in self.output.splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""


def run(
    arguments: Sequence[str | os.PathLike[str]],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    timeout: float = 900,
    check: bool = True,
    errors_apart: bool = False,
) -> Completed:
    """Run a program to its end and return its status and output.

    ``log`` gets the command line and all output appended. ``environment`` is the whole
    environment (default: CLEAN_ENVIRONMENT). ``timeout`` is in seconds. Raises
    CommandError when the program is missing, is killed by the time limit or, with
    ``check``, exits with another status than 0. With ``errors_apart`` what the program
    wrote to stderr is in the log and in errors, but not in the output.
    """
    argv = [os.fspath(argument) for argument in arguments]
    where = f"; see {log}" if log else ""
    started = time.monotonic()
    try:
        # start_new_session: on a time limit the whole family of processes is ended,
        # not only the first, whose children would keep the pipe open.
        process = subprocess.Popen(
            argv,
            env=dict(CLEAN_ENVIRONMENT if environment is None else environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors_apart else subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise CommandError(f"cannot run {argv[0]}: {error.strerror}; is it installed (make deps)?") from error
    timed_out = False
    try:
        raw, raw_errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        raw, raw_errors = process.communicate()
        timed_out = True
    except BaseException:
        os.killpg(process.pid, 9)
        process.wait()
        raise
    output = raw.decode("utf-8", "replace")
    everything = output + (raw_errors or b"").decode("utf-8", "replace")
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"$ {shlex.join(argv)}\n{everything}")
            stream.write("" if everything.endswith("\n") or not everything else "\n")
            stream.write(f"[exit {process.returncode} after {time.monotonic() - started:.1f} s]\n")
    if timed_out:
        raise CommandError(f"{argv[0]} did not end within {timeout:.0f} s{where}")
    if check and process.returncode != 0:
        shown = " ".join(shlex.join(argv).split())
        shown = shown if len(shown) <= _SHOWN_COMMAND else f"{shown[:_SHOWN_COMMAND]} …"
        tail = "\n".join(everything.splitlines()[-_TAIL_LINES:])
        raise CommandError(f"{shown} exited with {process.returncode}{where}\n{tail}")
    return Completed(process.returncode, output)
