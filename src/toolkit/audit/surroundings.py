# SPDX-License-Identifier: Apache-2.0
"""The gate of surroundings: tests/isolation passes on every interpreter, against every build.

Switches of the interpreter, no HOME, no ssl, directories that cannot be written, the way 3.4 starts a module, FIPS mode,
damaged files, forks at every stage, threads at exit, interpreters inside the interpreter.
"""

from __future__ import annotations

import os
import shutil

from core.build import PACKAGE
from openssl.errors import BuildError
from toolkit import interpreters
from toolkit.audit.model import NATIVE, PAYLOADS, RESULTS, Build, Gate, Verdict, builds
from toolkit.audit.roots import NEWEST, opened
from toolkit.audit.run import failures, flavour_of, include, interpreters_for, on_all, summary


def examine(build: Build) -> Verdict | None:
    """The gate on one build. The published binaries meet every interpreter, the others the oldest and the newest."""
    if not build.native:
        return None
    chosen = interpreters_for(build)
    if not build.label.startswith("portable/"):
        chosen = list({item.name: item for item in (chosen[0], chosen[-1])}.values())
    for item in chosen:
        interpreters.pytest_directory(item)
    verdict = Verdict("surroundings", build.label)
    for outcome in on_all(lambda item: interpreters.run_on(item, [str(PAYLOADS)], flavour_of(build)), chosen):
        include(outcome, verdict)
    if build.label == f"portable/{NATIVE}/py3":
        _on_the_newest(build, verdict)
    if not verdict.seen:
        raise BuildError(f"no tests ran on {build.label}")
    return verdict


def _on_the_newest(build: Build, verdict: Verdict) -> None:
    """The same, and the unit suite, with the published file on the newest release's Python."""
    suite, version = NEWEST
    place = opened(suite)
    place.bring(build.tree, "/published/py3")
    for path in (str(PAYLOADS), "tests/unit"):
        done = place.tests(version, "/published/py3", [path])
        where = f"{version} ({suite}), {path}"
        verdict.seen.append(f"{where}: {summary(done)}")
        verdict.findings += failures(where, done)


#: What a careless package does when it is imported.
CARELESS = "import os, ssl, sys\nos.environ['HOME']\n"
#: Tests that must see it.
WATCHFUL = ("test_an_empty_environment", "test_a_python_without_ssl_and_hashlib")


def control() -> Verdict:
    """A package that needs HOME and ssl, on the newest interpreter."""
    build = next(item for item in builds() if item.label == "py3")
    tree = RESULTS / "careless" / "py3"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(build.package, tree / PACKAGE)
    start = tree / PACKAGE / "__init__.py"
    start.write_text(CARELESS + start.read_text(encoding="utf-8"), encoding="utf-8")
    newest = interpreters_for(build)[-1]
    places = os.pathsep.join([str(tree.resolve()), str(interpreters.pytest_directory(newest))])
    outcome = interpreters.run_pytest(
        [newest.path, "-s", "-m", "pytest"], "isolation control", [str(PAYLOADS / "test_surroundings.py")],
        {"PYTHONPATH": places}, ["-k", " or ".join(WATCHFUL)],
    )  # fmt: skip
    return Verdict("surroundings", "control", list(outcome.failures))


GATE = Gate("surroundings", "it works, and refuses, in every surroundings", examine, control, WATCHFUL)
