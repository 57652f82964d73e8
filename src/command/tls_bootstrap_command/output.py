# SPDX-License-Identifier: Apache-2.0
"""What the check prints: one line per interpreter, then TAP 13, or JSON."""

import json
import os
import re

from .errors import BROKEN, NO_PIP, NOT_USED, USED

VERDICTS = {USED: "used", BROKEN: "broken", NOT_USED: "not used", NO_PIP: "no pip"}


def subject(report):
    """The interpreter and its pip in words."""
    pip = report.interpreter.pip
    if report.interpreter.pip_script:
        return "%s (%s)" % (report.interpreter.pip_script, report.interpreter.path)
    if pip is None:
        return report.interpreter.path
    return "%s, pip %s" % (report.interpreter.path, pip["version"])


def human_line(report):
    """The answer for one interpreter in one line."""
    module = report.interpreter.module
    if report.verdict == USED:
        ways = ", ".join(
            " ".join(served[key] for key in ("protocol", "group", "cipher") if served.get(key)) for served, _ in report.connections
        )
        text = "uses _tls_bootstrap %s (%s, %s): %s" % (module["version"], module["flavour"], module["openssl"], ways)
    elif report.verdict == BROKEN:
        text = "BROKEN: %s" % report.reason
    elif report.verdict == NOT_USED:
        text = "does not use _tls_bootstrap: %s" % report.reason
    else:
        text = report.reason
    if not report.counted and report.verdict in (USED, BROKEN, NOT_USED):
        text += " [not counted: no package owns this pip or nothing of tls-bootstrap is there]"
    return "%s: %s" % (subject(report), text)


def tap(reports):
    """The lines of the whole report."""
    lines = []
    for report in reports:
        lines.append("# " + human_line(report))
        if report.advice:
            lines.append("#   next: " + report.advice)
    points = [(report, point) for report in reports for point in report.points]
    if not reports:
        lines.append("# there is no system pip; for another one: tls-bootstrap check --python PATH")
    lines += ["TAP version 13", "1..%d" % len(points)]
    for number, (report, point) in enumerate(points, 1):
        word = "not ok" if point.passed is False else "ok"
        line = "%s %d - %s: %s" % (word, number, report.interpreter.path, _plain(point.text))
        if point.passed is None:
            line += " # SKIP %s" % _plain(point.detail)
        lines.append(line)
        if point.passed is False and point.detail:
            lines.append("#   %s" % _plain(point.detail))
    return lines


_RED, _GREEN, _YELLOW = "31", "32", "33"
# What a line says -> how it looks on a terminal.
_COLOURS = (
    (re.compile("not ok "), _RED),
    (re.compile("ok [^#]*# SKIP"), _YELLOW),
    (re.compile("ok "), _GREEN),
    (re.compile("# .*: BROKEN: "), _RED),
    (re.compile("# .*: does not use _tls_bootstrap: "), _RED),
    (re.compile("# .*: uses _tls_bootstrap "), _GREEN),
)


def wants_colour(stream):
    """True for a terminal that can show colour, unless the user does not want any (NO_COLOR)."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")


def coloured(line):
    """The line with the colour of what it says."""
    for pattern, colour in _COLOURS:
        if pattern.match(line):
            return "\033[%sm%s\033[0m" % (colour, line)
    return line


def _plain(text):
    return " ".join(str(text).replace("#", "").split())


def as_json(reports, code, version, error=None):
    """The whole report as a JSON text; `error` is why there is none."""
    targets = [_target(report) for report in reports]
    return json.dumps(
        {"tls-bootstrap-check": 1, "version": version, "exit": code, "error": error, "targets": targets},
        indent=2,
        sort_keys=True,
    )


def _target(report):
    connections = []
    for served, entry in report.connections:
        facts = dict((key, served.get(key)) for key in ("protocol", "group", "cipher", "exporter"))
        facts.update(pid=entry["pid"], module=entry["module"], core=entry["core"], matched=True)
        connections.append(facts)
    return {
        "python": report.interpreter.path,
        "python_version": report.interpreter.facts["version"],
        "pip": report.interpreter.pip,
        "pip_package": report.package,
        "module": report.interpreter.module,
        "hook": dict((k, report.interpreter.facts[k]) for k in ("hook_directory", "hook_files", "armed")),
        "verdict": VERDICTS[report.verdict],
        "counted": report.counted,
        "reason": report.reason,
        "next": report.advice,
        "connections": connections,
        "points": [{"ok": point.passed, "text": point.text, "detail": point.detail} for point in report.points],
    }
