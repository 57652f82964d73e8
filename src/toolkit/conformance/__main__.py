# SPDX-License-Identifier: Apache-2.0
"""`make conformance`: the interpreters' own TLS tests, with `_tls_bootstrap` in the place of `ssl`.

    python -m toolkit.conformance [--flavour F] [--only 2.7,3.13] [--suite test_ssl,...] [--jobs N] [--roots NAME,...]

Every test that passes with an interpreter's own `ssl` has to pass with ours, except those that
tests/conformance/exceptions.txt names. A table goes to the terminal, all results to build/conformance/.
Last, planted faults show that the comparison would notice a module that is broken.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openssl.errors import BuildError, run_main
from toolkit import interpreters, mounts
from toolkit.conformance import runs
from toolkit.conformance import verdict as verdicts
from toolkit.conformance.verdict import Verdict

OUTPUT = Path("build", "conformance")
EXCEPTIONS = runs.SCRIPTS / "exceptions.txt"

#: Faults, and the tests of test_ssl that they are shown on.
CONTROLS = {
    "empty_peer_certificate": "test_ssl.ThreadedTests.test_getpeercert$",
    "unverified_names": "test_ssl.(ThreadedTests.test_check_hostname|ContextTests.test_create_default_context)$",
    "standard_library": "test_ssl.ContextTests.test_(protocol|cert_store_stats)$",
}
CONTROL_SUITE = "test_ssl"

HEADER = (
    f"{'interpreter':16} {'suite':22} {'ssl':>5} {'ours':>5} {'exc.':>5} {'only ours':>9} {'skipped':>7} "
    f"{'handshakes ours/_ssl':>20} {'s':>5}"
)


def examine(
    place: runs.Place, identity: runs.Identity, suite: runs.Suite, exceptions: verdicts.Exceptions
) -> tuple[Verdict, dict[str, Any]]:
    """Run and judge one suite on one interpreter; returns the verdict and all results."""
    if suite.name not in identity.modules:
        return Verdict(place.name, suite.name, absent="this interpreter has no such suite"), {}
    baseline = runs.baseline(place, identity, suite)
    own = exceptions.of(place.name, suite.module)
    races = exceptions.races(place.name, suite.module)
    ours = [runs.run_suite(place, suite, ours=True, without=sorted(own))]
    if own:
        # In a process of their own, so that what a failing test leaves behind (2.7's asyncore has a map of all sockets)
        # disturbs no other.
        ours[0]["results"].update(runs.run_suite(place, suite, ours=True, only=sorted(own))["results"])
    while len(ours) < runs.TRIES and (again := verdicts.wanted_again(baseline, ours, races)):
        ours.append(runs.run_suite(place, suite, ours=True, only=sorted(again)))
    verdict = verdicts.judge(place.name, suite.name, baseline, ours, own, races)
    return verdict, {"baseline": baseline, "ours": ours, "verdict": dataclasses.asdict(verdict)}


def control(place: runs.Place, identity: runs.Identity, plant: str, whole: Verdict) -> str:
    """Plant a fault and look whether it is noticed; returns a line that starts with "noticed" if it is.

    whole: the verdict without the fault. What was wrong then already does not count.
    """
    suite = runs.Suite(CONTROL_SUITE, select=CONTROLS[plant])
    baseline = runs.baseline(place, identity, next(each for each in runs.SUITES if each.name == CONTROL_SUITE))
    verdict = verdicts.judge(place.name, suite.name, baseline, [runs.run_suite(place, suite, ours=True, plant=plant)], {})
    new = {
        name: text
        for name, text in verdict.failures.items()
        if name not in whole.failures and name not in whole.excepted and not text.startswith("did not run")
    }
    if new:
        return f"noticed: {', '.join(name.rpartition('.')[2] for name in sorted(new))} no longer passes"
    complaints = [text for text in verdict.complaints if text not in whole.complaints and "no handshake" not in text]
    return f"noticed: {complaints[0].splitlines()[-1]}" if complaints else "NOT NOTICED"


def line(verdict: Verdict) -> str:
    """One row of the table."""
    start = f"{verdict.place:16} {verdict.suite:22} "
    if verdict.absent:
        return f"{start}not run: {verdict.absent}"
    standard = "?" if verdict.handshakes_of_ssl is None else str(verdict.handshakes_of_ssl)
    text = (
        f"{start}{verdict.with_ssl:5} {verdict.with_ours:5} {len(verdict.excepted):5} {verdict.only_ours:9} "
        f"{verdict.skipped:7} {verdict.handshakes:>16}/{standard:<3} {verdict.seconds:5.0f}"
    )
    return text if verdict.good else f"{text}  {len(verdict.failures)} FAILED"


def details(verdict: Verdict) -> Iterator[str]:
    """What is wrong, a line each."""
    for name, text in verdict.failures.items():
        yield f"  FAILED {name}: {(text.strip().splitlines() or [''])[-1][:200]}"
    for text in verdict.complaints:
        yield f"  WRONG {text}"


@contextlib.contextmanager
def places(chosen: argparse.Namespace) -> Iterator[list[runs.Place]]:
    """The interpreters to examine: this machine's, or those of roots that exist as long as the context."""
    if chosen.roots:
        from toolkit.conformance import roots

        with roots.places([name for name in chosen.roots.split(",") if name]) as found:
            yield found
        return
    only = {name for name in chosen.only.split(",") if name}
    found = [item for item in interpreters.find() if not only or item.name in only]
    missing = only - {item.name for item in found}
    if missing or not found:
        raise BuildError(f"no interpreter {', '.join(sorted(missing)) or 'at all'} found (it looks at TEST_PYTHONS)")
    yield [
        runs.Here(item.name, item.path, interpreters.tree_for(item, chosen.flavour))
        for item in found
        if not item.free_threaded
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.conformance", description="Run the interpreters' own TLS tests.")
    parser.add_argument("--flavour", choices=["bundled", "system"], default="bundled")
    parser.add_argument("--only", default="", help="interpreters, as `toolkit.interpreters list` names them")
    parser.add_argument("--suite", default="", help="suites to run (default: all), separated by commas")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument("--roots", default="", help="examine the system flavour in these roots, or `all`")
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    known = {suite.name for suite in runs.SUITES}
    wanted = {name for name in chosen.suite.split(",") if name} or known
    if wanted - known:
        raise BuildError(f"--suite: {', '.join(sorted(wanted - known))} is not one of {', '.join(sorted(known))}")
    exceptions = verdicts.read_exceptions(EXCEPTIONS)
    if chosen.roots:
        mounts.separate()
    with places(chosen) as found:
        bad = _examine_all(found, wanted, chosen, exceptions)
    print(f"conformance took {time.monotonic() - started:.0f} s; all results are in {OUTPUT}")
    return 1 if bad else 0


def _examine_all(
    found: Sequence[runs.Place], wanted: set[str], chosen: argparse.Namespace, exceptions: verdicts.Exceptions
) -> int:
    """Examine all places and print the table; returns how much is wrong."""
    label = "roots" if chosen.roots else chosen.flavour
    output = OUTPUT / label
    output.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        identities = dict(zip((place.name for place in found), pool.map(runs.identify, found)))
        jobs = [
            pool.submit(examine, place, identities[place.name], suite, exceptions)
            for suite in runs.SUITES
            if suite.name in wanted
            for place in reversed(found)
        ]
        for number, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            verdict, results = job.result()
            state = "not there" if verdict.absent else "ok" if verdict.good else "FAILED"
            print(f"[{number}/{len(jobs)}] {verdict.place} {verdict.suite}: {state}", flush=True)
            if results:
                name = f"{verdict.place}-{verdict.suite}.json"
                (output / name).write_text(json.dumps(results, indent=1, sort_keys=True), encoding="ascii")
        all_verdicts = sorted(
            (job.result()[0] for job in jobs), key=lambda item: ([place.name for place in found].index(item.place), item.suite)
        )
        controls = {}
        if CONTROL_SUITE in wanted:
            whole = {verdict.place: verdict for verdict in all_verdicts if verdict.suite == CONTROL_SUITE}
            shown = {found[0].name: found[0], found[-1].name: found[-1]}
            pending = {
                (name, plant): pool.submit(control, place, identities[name], plant, whole[name])
                for name, place in shown.items()
                for plant in CONTROLS
            }
            controls = {key: job.result() for key, job in pending.items()}
    return _report(found, identities, all_verdicts, controls, output / "summary")


def _report(
    found: Sequence[runs.Place],
    identities: dict[str, runs.Identity],
    all_verdicts: Sequence[Verdict],
    controls: dict[tuple[str, str], str],
    path: Path,
) -> int:
    """Print the table and write it down; returns how much is wrong."""
    lines = []
    for place in found:
        identity = identities[place.name]
        lines.append(f"{place.name}: Python {identity.python}, its ssl has {identity.openssl}")
    lines += ["", HEADER]
    for verdict in all_verdicts:
        lines.append(line(verdict))
        lines.extend(details(verdict))
    for verdict in all_verdicts:
        if verdict.flaky:
            lines.append(
                f"{verdict.place} {verdict.suite}: not always passed with ssl, seen or known, "
                f"so up to {runs.TRIES} runs count for ours: "
                + ", ".join(name.rpartition(".")[2] for name in verdict.flaky)
            )
    for (name, plant), text in controls.items():
        lines.append(f"control on {name}, fault {plant}: {text}")
    unnoticed = sum(1 for text in controls.values() if not text.startswith("noticed"))
    run = [verdict for verdict in all_verdicts if not verdict.absent]
    bad = sum(1 for verdict in run if not verdict.good) + unnoticed
    lines.append(
        f"{sum(verdict.with_ssl for verdict in run)} tests pass with ssl; with ours {sum(verdict.with_ours for verdict in run)} "
        f"of them, {sum(len(verdict.excepted) for verdict in run)} are excepted, "
        f"{sum(len(verdict.failures) for verdict in run)} fail; {sum(verdict.only_ours for verdict in run)} pass with ours only"
    )
    text = "\n".join(lines)
    print(text)
    path.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    summary = {
        "places": {name: {**dataclasses.asdict(identity), "modules": []} for name, identity in identities.items()},
        "verdicts": [dataclasses.asdict(verdict) for verdict in all_verdicts],
        "controls": [{"place": name, "fault": plant, "outcome": text} for (name, plant), text in controls.items()],
    }
    path.with_suffix(".json").write_text(json.dumps(summary, indent=1, sort_keys=True), encoding="ascii")
    return bad


if __name__ == "__main__":
    run_main(main)
