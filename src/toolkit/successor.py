# SPDX-License-Identifier: Apache-2.0
"""The version after this one, for tests of upgrades: the same tree under the next number, compiled under it."""

from __future__ import annotations

import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

from toolkit import roots
from toolkit.commands import CommandError
from toolkit.packages import Source


def next_version(version: str) -> str:
    """0.1.0 -> 0.1.1."""
    head, _, last = version.rpartition(".")
    return f"{head}.{int(last) + 1}"


def tree(origin: Source, parent: Path) -> Source:
    """A copy of the tree below ``parent`` with the next version's number everywhere."""
    roots.remove_tree(parent)
    parent.mkdir(parents=True)
    source = Source(origin.copy(parent))
    version = next_version(origin.version)
    (source.top / "VERSION").write_text(f"{version}\n", encoding="ascii")
    number = source.top / "src" / "_tls_bootstrap" / "__init__.py"
    text, found = re.subn(r'^__version__ = ".*"$', f'__version__ = "{version}"', number.read_text("utf-8"), flags=re.MULTILINE)
    if found != 1:
        raise CommandError(f"{number}: expected one line '__version__ = \"…\"', found {found}")
    number.write_text(text, encoding="utf-8")
    changes = source.top / "CHANGES.md"
    date = origin.history[0].date + datetime.timedelta(days=1)
    text = changes.read_text(encoding="utf-8")
    changes.write_text(text.replace("## ", f"## {version} ({date})\n* The next number, for tests of upgrades.\n\n## ", 1), "utf-8")
    return source


def make(origin: Source, parent: Path, machine: str) -> Source:
    """The same with its portable binaries for a machine.

    What compiling prints goes to ``parent/compile.log``. Raises CommandError when it fails.
    """
    source = tree(origin, parent)
    log = parent / "compile.log"
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "toolkit.portable", "--arch", machine],
            cwd=source.top, env={**os.environ, "PYTHONPATH": "src"}, stdout=stream, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    if done.returncode:
        raise CommandError(f"compiling version {source.version} failed; see {log}")
    return source
