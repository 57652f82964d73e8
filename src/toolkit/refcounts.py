# SPDX-License-Identifier: Apache-2.0
"""`make refcounts`: the unit suite, each test again and again, while a debug build of CPython counts references.

    python -m toolkit.refcounts [PYTEST ARGUMENTS]

The distribution's debug build runs it (Debian: python3-dbg). The C half is compiled with its headers, since only then it
takes part in the count. tests/unit/refcounts.py does the counting; a test that leaks on purpose shows that it would
notice.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from openssl.errors import BuildError, run_main
from toolkit import builds, deps, interpreters

OUTPUT = Path("build", "refcounts")
TESTS = "tests/unit"
PYTHON = "/usr/bin/python3-dbg"

#: A leak of one reference a call.
LEAK = """
import _tls_bootstrap
kept = []
def test_leaks():
    kept.extend(_tls_bootstrap.MemoryBIO() for _ in range(3))
"""


def _run(tree: Path, paths: Sequence[str], name: str, arguments: Sequence[str]) -> interpreters.Outcome:
    interpreter = interpreters.probe(PYTHON)
    if interpreter is None:
        raise BuildError(f"{PYTHON} is not there: make deps installs python3-dbg")
    places = [str(tree), str(Path(TESTS).resolve()), str(interpreters.pytest_directory(interpreter))]
    # pytest would keep the exceptions that tests of broken callbacks leave.
    kept = ("-p", "no:unraisableexception", "-p", "no:threadexception")
    # A test that cannot be repeated fails then, and where CI is in the environment pytest takes minutes to tell how 100 KiB differ.
    command = [PYTHON, "-s", "-m", "pytest", "-p", "refcounts", *kept, "--assert=plain"]
    return interpreters.run_pytest(command, name, paths, {"PYTHONPATH": os.pathsep.join(places)}, arguments, progress=True)


def _notices(tree: Path) -> interpreters.Outcome:
    """Whether the planted leak is seen, as an outcome that fails when it is not."""
    with tempfile.TemporaryDirectory() as place:
        test = Path(place, "test_leak.py")
        test.write_text(LEAK, encoding="ascii")
        # No directory of ours above it: its own configuration must not be looked for.
        found = _run(tree, [str(test)], "refcounts control", ["-c", os.devnull, "--rootdir", place])
    said = found.log.read_text(encoding="utf-8") if found.log else ""
    outcome = interpreters.Outcome("planted leak is noticed", log=found.log)
    if found.failed == 1 and "references grow by" in said:
        outcome.passed = 1
    else:
        outcome.failed, outcome.complaint = 1, "the planted leak was not noticed"
    return outcome


def main(arguments: list[str]) -> int:
    deps.main([])
    tree = builds.compile_for(PYTHON, 3, OUTPUT)
    outcomes = [_notices(tree), _run(tree, [TESTS], "refcounts", arguments)]
    for outcome in outcomes:
        interpreters.tell(outcome)
    return interpreters.summarise(outcomes)


if __name__ == "__main__":
    run_main(main)
