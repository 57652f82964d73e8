# SPDX-License-Identifier: Apache-2.0
"""The gate of surroundings: tests/isolation passes on every interpreter, against every build.

Switches of the interpreter, no HOME, no ssl, directories that cannot be written, the way 3.4 starts a module, FIPS mode,
damaged files, forks at every stage, threads at exit, interpreters inside the interpreter.
"""

from __future__ import annotations

from openssl.errors import BuildError
from toolkit import interpreters
from toolkit.audit_model import PAYLOADS, Build, Gate, Verdict
from toolkit.audit_run import interpreters_for, on_all


def examine(build: Build) -> Verdict | None:
    """The gate on one build. The published binaries meet every interpreter, the others the oldest and the newest."""
    if not build.native:
        return None
    chosen = interpreters_for(build)
    if not build.label.startswith("portable/"):
        chosen = list({item.name: item for item in (chosen[0], chosen[-1])}.values())
    kind = build.label.rpartition("/")[0] or "bundled"
    for item in chosen:
        interpreters.pytest_directory(item)
    verdict = Verdict("surroundings", build.label)
    for outcome in on_all(lambda item: interpreters.run_on(item, [str(PAYLOADS)], kind), chosen):
        verdict.seen.append(outcome.line())
        verdict.seen += [f"skipped {count} times: {reason}" for reason, count in sorted(outcome.reasons.items())]
        verdict.findings += [f"{outcome.name}: {failure}" for failure in outcome.failures]
        if (outcome.failed and not outcome.failures) or not outcome.passed:
            verdict.findings.append(outcome.line())
    if not verdict.seen:
        raise BuildError(f"no tests ran on {build.label}")
    return verdict


GATE = Gate("surroundings", "it works, and refuses, in every surroundings", examine, None)
