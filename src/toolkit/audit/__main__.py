# SPDX-License-Identifier: Apache-2.0
"""`make audit`: measures what the builds promise, and prints a table of gates and builds.

    python -m toolkit.audit [--only GATE,...] [--builds BUILD,...] [--no-build] [--no-control] [--full]

Each gate also gets a control that it must refuse: a gate that finds nothing wrong there fails the audit. Everything
seen goes to build/audit/*.json. The exit status is 0 only when every gate holds and every control is refused.
"""

from __future__ import annotations

import argparse
import time

from openssl.errors import BuildError, run_main
from toolkit import builds, deps, mounts, portable
from toolkit.audit import (
    binary,
    effects,
    floor,
    foreign,
    interposition,
    lifetime,
    others,
    packages,
    releases,
    reproducible,
    reprotest,
    roots,
    surroundings,
)
from toolkit.audit.model import NATIVE, Build, Gate, Verdict, missing, record
from toolkit.audit.model import builds as built
from toolkit.commands import CommandError

#: In the order of their cost.
GATES = (
    binary.GATE,
    floor.GATE,
    interposition.GATE,
    effects.GATE,
    foreign.GATE,
    reproducible.GATE,
    packages.GATE,
    reprotest.GATE,
    releases.SYSTEM,
    releases.OWN_COMPILER,
    surroundings.GATE,
    others.GATE,
    lifetime.GATE,
)


def examine(gate: Gate, build: Build) -> Verdict | None:
    """A gate's verdict; a gate that cannot be run to its end does not hold."""
    try:
        return gate.examine(build)
    except (BuildError, CommandError) as error:
        return Verdict(gate.name, build.label, [f"the gate cannot be run: {error}"])


def examine_control(gate: Gate) -> Verdict | None:
    """The control as a verdict that holds when the gate refused what it had to."""
    if gate.control is None:
        return None
    try:
        found = gate.control()
    except (BuildError, CommandError) as error:
        return Verdict(gate.name, "control", [f"the control cannot be run: {error}"])
    unseen = [f"the control's fault is not seen: {name}" for name in missing(gate, found)]
    return Verdict(gate.name, "control", unseen, found.findings)


def tell_findings(verdicts: list[Verdict]) -> None:
    """Print what is wrong, a line each."""
    for verdict in verdicts:
        for finding in verdict.findings:
            print(f"  {verdict.gate}, {verdict.build}: {finding}", flush=True)


def run_gate(gate: Gate, chosen: list[Build], with_control: bool) -> list[Verdict]:
    """All verdicts of one gate, each printed when it is known."""
    started = time.monotonic()
    verdicts = [verdict for build in chosen if (verdict := examine(gate, build))]
    if with_control and (control := examine_control(gate)):
        verdicts.append(control)
    tell_findings(verdicts)
    path = record(gate.name, verdicts)
    bad = sum(not verdict.holds for verdict in verdicts)
    what = f"{bad} of {len(verdicts)} FAILED" if bad else f"{len(verdicts)} verdicts, all as they must be"
    print(f"{gate.name}: {what} ({time.monotonic() - started:.0f} s, {path})", flush=True)
    return verdicts


def table(verdicts: list[Verdict], labels: list[str]) -> str:
    """Gates down, builds across: ok, FAIL, or a dash where the gate has nothing to say."""
    found = {(verdict.gate, verdict.build): verdict.holds for verdict in verdicts}
    gates = list(dict.fromkeys(verdict.gate for verdict in verdicts))
    lines = [["gate", *labels, "control"]]
    for gate in gates:
        row = [{True: "ok", False: "FAIL", None: "-"}[found.get((gate, label))] for label in labels]
        lines.append([gate, *row, {True: "refused", False: "FAIL", None: "-"}[found.get((gate, "control"))]])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.audit", description="Measure what the builds promise.")
    parser.add_argument("--only", default="", help=f"gates, separated by commas: {', '.join(gate.name for gate in GATES)}")
    parser.add_argument("--builds", default="", help="builds, separated by commas, as the table names them")
    parser.add_argument("--no-build", action="store_true", help="take the trees as they are")
    parser.add_argument("--no-control", action="store_true", help="leave out what the gates must refuse")
    parser.add_argument("--full", action="store_true", help="build OpenSSL again too where builds are compared")
    chosen = parser.parse_args(arguments)
    reproducible.full = chosen.full
    only = [name for name in chosen.only.split(",") if name]
    gates = [gate for gate in GATES if not only or gate.name in only]
    unknown = set(only) - {gate.name for gate in GATES}
    if unknown:
        raise BuildError(f"--only: no gate named {', '.join(sorted(unknown))}")
    deps.main(["--audit"])
    if not chosen.no_build:
        for name in builds.COMMANDS:
            builds.bring_up_to_date(name)
        for arch in sorted({*portable.ARCHITECTURES} - {NATIVE}):
            builds.bring_up_to_date("portable", "--arch", arch)
    trees = built([name for name in chosen.builds.split(",") if name])
    if not trees:
        raise BuildError("no build to examine: run make build or make portable first")
    mounts.separate()
    try:
        verdicts = [verdict for gate in gates for verdict in run_gate(gate, trees, not chosen.no_control)]
    finally:
        roots.close()
    for tree in trees:
        kib, where = effects.added.get(tree.label, (0, ""))
        memory = f", import adds at most {kib} KiB of resident memory (Python {where})" if where else ""
        print(f"{tree.label}: {tree.binary.stat().st_size} bytes, glibc {binary.glibc_floor(tree.binary)}{memory}")
    print(table(verdicts, [tree.label for tree in trees]))
    tell_findings(verdicts)  # again, for whoever has the end of a log only
    bad = sum(not verdict.holds for verdict in verdicts)
    print(f"{len(verdicts)} verdicts, {bad} bad" if bad else f"{len(verdicts)} verdicts, all as they must be")
    return 1 if bad else 0


if __name__ == "__main__":
    run_main(main)
