# SPDX-License-Identifier: Apache-2.0
"""`tls-bootstrap check`: proves for each pip that its connections are made by `_tls_bootstrap`.

What runs as the same user with the intention to deceive is out of scope: it could change pip itself.
"""

import binascii
import os

from . import files, indexes, interpreters, packages, policy, wheel
from .errors import BROKEN, NO_PIP, NOT_USED, USED, CommandError, PipError
from .guest import Workshop
from .pip_run import Pip, loopback_name
from .server import IndexServer

LISTENERS = {"TLSv1.3": "TLSv1_3", "TLSv1.2": "TLSv1_2"}
HOOK_PACKAGE = "tls-bootstrap-pip"


class Point(object):
    """One statement of the check: `passed` is True, False, or None when it was skipped."""

    def __init__(self, passed, text, detail=None):
        self.passed, self.text, self.detail = passed, text, detail


class Report(object):
    """The result for one interpreter and its pip."""

    def __init__(self, interpreter):
        self.interpreter = interpreter
        self.verdict = None
        self.reason = None
        self.advice = None
        self.points = []
        self.connections = []
        self.package = None  # that owns pip
        self.counted = True

    def point(self, passed, text, detail=None):
        self.points.append(Point(passed, text, None if passed else detail))
        return passed

    def skip(self, text, why):
        self.points.append(Point(None, text, why))

    def conclude(self, verdict, reason=None, advice=None):
        self.verdict, self.reason, self.advice = verdict, reason, advice
        return self


def exit_code(reports):
    """The worst of 1, 2, 0 over the pips that count; 3 when there is none."""
    verdicts = set(report.verdict for report in reports if report.counted)
    for code in (BROKEN, NOT_USED, USED):
        if code in verdicts:
            return code
    return NO_PIP


def choose_what_counts(reports):
    """A pip counts if the user named it, or if a package owns it and something of ours is beside it.

    Without anything of ours anywhere every packaged pip counts: the answer is then "not used".
    """
    for report in reports:
        named = report.interpreter.named
        report.counted = report.verdict != NO_PIP and (named or report.package is not None)
    ours = [report for report in reports if report.counted and _has_something(report.interpreter)]
    if ours:
        for report in reports:
            report.counted = report in ours or (report.interpreter.named and report.verdict != NO_PIP)


def _has_something(interpreter):
    return interpreter.facts["module_directory"] or interpreter.facts["hook_directory"]


def examine(interpreter, workshop):
    """Examine one interpreter that has been inspected; return its Report."""
    report = Report(interpreter)
    if interpreter.pip is None and not interpreter.pip_script:
        return report.conclude(NO_PIP, "it has no pip")
    if interpreter.pip is not None:
        report.package = packages.owner(interpreter.pip["path"])
    if not _module_is_usable(report):
        return report
    _isolation(report)
    try:
        _pip_runs(report, workshop)
    except PipError as error:
        report.point(False, "pip tells how it downloads", str(error))
        advice = "reinstall the package that it belongs to; if it works with TLS_BOOTSTRAP_PIP=0, the hook is the cause"
        report.conclude(BROKEN, "pip itself does not work: %s" % error, advice)
    return report


def _module_is_usable(report):
    facts, module = report.interpreter.facts, report.interpreter.module
    if facts["module_directory"] is None:
        report.point(False, "_tls_bootstrap is installed", "no directory of this interpreter has it")
        report.conclude(
            NOT_USED,
            "_tls_bootstrap is not installed for it",
            "install the package %s of this system, which brings the module along" % HOOK_PACKAGE,
        )
        return False
    error = module.get("error") or module.get("context_error")
    if not report.point(error is None, "_tls_bootstrap can be imported", error):
        crashed = "killed by signal" in error
        if module.get("fips"):
            advice = "the bundled OpenSSL is not validated: in FIPS mode use the system flavour"
        else:
            advice = "reinstall the package that owns %s/_tls_bootstrap" % facts["module_directory"]
        report.conclude(BROKEN if crashed else NOT_USED, "_tls_bootstrap cannot be used: " + error, advice)
        return False
    return True


def _isolation(report):
    module = report.interpreter.module
    report.point(not module["ssl_imported"], "importing it does not import ssl", module["ssl_imported"])
    report.point(len(module["exports"]) == 1, "its binary exports one symbol", "exported: %s" % module["exports"])
    if module["flavour"] == "bundled":
        report.point(
            not module["foreign_libraries"],
            "it maps no libssl or libcrypto of the system",
            module["foreign_libraries"],
        )


def _pip_runs(report, workshop):
    interpreter = report.interpreter
    contents = wheel.make(binascii.hexlify(os.urandom(16)).decode("ascii"))
    served = {
        "/simple/%s/" % wheel.PROJECT: wheel.index_page(contents),
        "/files/" + wheel.FILE_NAME: contents,
    }
    pip = Pip(interpreter, workshop)
    home = interpreter.facts["module_directory"]
    with IndexServer(interpreter.path, home, workshop, LISTENERS, served) as server:
        runs = {}
        refusals = []
        for listener in sorted(LISTENERS, reverse=True):
            downloads = "pip downloads from an index that speaks only %s" % listener
            run = pip.download(server, listener, server.authority, contents)
            if not run.succeeded:
                where = loopback_name(), server.ports[listener], server.authority.encode("ascii")
                refusal = policy.refusal(interpreter, workshop, *where)
                if refusal:
                    refusals.append(refusal)
                    report.skip(downloads, refusal)
                    continue
            runs[listener] = run
            report.point(run.succeeded, downloads, None if run.succeeded else run.failure())
            report.point(
                run.proves_use,
                "both ends have the same exporter value (%s)" % listener,
                "%d of %d connections are in pip's trace" % (len(run.match.matched), len(run.match.served)),
            )
            if run.match.download is not None:
                report.connections.append(run.match.download)
        if not runs:
            report.point(False, "the policy allows one of these versions", refusals[0])
            report.conclude(BROKEN, refusals[0], "correct that file, or let it allow one of %s" % ", ".join(sorted(LISTENERS)))
            return
        plain = pip.download(server, "TLSv1.2", server.authority, contents, switched_off=True)
        report.point(
            not plain.match.trace,
            "with TLS_BOOTSTRAP_PIP=0 pip does not use it",
            "it made %d connections" % len(plain.match.trace),
        )
        stranger = pip.download(server, min(runs), server.stranger, contents)
        _refusal(report, stranger)
    _mapped_file(report)
    _conclude(report, runs, plain, stranger)


def _refusal(report, stranger):
    text = "pip refuses an index whose authority it does not trust"
    if stranger.match.served or stranger.match.failed:
        report.point(
            not stranger.succeeded and not stranger.match.served,
            text,
            "pip ended with exit code %d after %d requests" % (stranger.outcome.code, len(stranger.match.served)),
        )
    else:
        report.skip(text, "pip did not get as far as a connection")


def _mapped_file(report):
    """Is the file in pip's memory the one that the package installed?"""
    text = "the file mapped in pip's process is the installed one"
    core = os.path.realpath(report.interpreter.module["core"])  # as the kernel names it: a directory may be a link
    if not report.connections:
        report.skip(text, "no connection is proven")
        return
    for served, entry in report.connections:
        mapped = served.get("client_mapped", [entry["core"]])
        if core not in mapped or os.path.realpath(entry["core"]) != core:
            report.point(False, text, "mapped: %s, by the trace: %s, installed: %s" % (mapped, entry["core"], core))
            return
    if not all("client_mapped" in served for served, _ in report.connections):
        report.skip(text, "pip's process could not be looked at; its trace names the installed file")
        return
    package = packages.owner(core)
    if package is None:
        report.point(True, text + " (%s, which belongs to no package)" % core)
        return
    changed = packages.is_changed(core, package)
    text += " (%s of package %s)" % (core, package)
    if changed is None:
        report.skip(text, "the package database does not tell whether the file was changed")
        return
    report.point(not changed, text, "the package database says that the file was changed")


def _conclude(report, runs, plain, stranger):
    facts = report.interpreter.facts
    if stranger.succeeded or stranger.match.served:
        report.conclude(
            BROKEN,
            "pip accepts an authority that it was not told to trust",
            "install nothing with it; look for trusted-host in `pip config list`, and reinstall pip and _tls_bootstrap",
        )
    elif plain.match.trace:
        report.conclude(
            BROKEN,
            "the off switch TLS_BOOTSTRAP_PIP=0 has no effect",
            "reinstall the package %s; a pip that is patched to use _tls_bootstrap has to obey it too" % HOOK_PACKAGE,
        )
    elif all(run.proves_use for run in runs.values()):
        failed = [point for point in report.points if point.passed is False]
        if not failed:
            report.conclude(USED)
        else:
            report.conclude(
                BROKEN,
                "; ".join("not true: " + point.text for point in failed),
                "reinstall the package that owns %s/_tls_bootstrap" % facts["module_directory"],
            )
    elif any(run.match.trace for run in runs.values()):
        _conclude_partial_use(report, runs)
    elif not plain.succeeded and not any(run.match.served for run in runs.values()):
        report.conclude(
            BROKEN,
            "pip itself does not work, without the hook either: " + plain.failure(),
            "repair this pip first: reinstall the package that it belongs to",
        )
    elif not runs[min(runs)].succeeded and plain.succeeded:
        report.conclude(
            BROKEN,
            "pip fails with the hook and works without it: " + runs[min(runs)].failure(),
            "until this is solved: set TLS_BOOTSTRAP_PIP=0, or as root mkdir -p %s && touch %s"
            % (os.path.dirname(files.DISABLED_FILE), files.DISABLED_FILE),
        )
    else:
        report.conclude(NOT_USED, *_why_not_used(facts, runs))


def _conclude_partial_use(report, runs):
    broken = [name for name in sorted(runs) if not runs[name].succeeded]
    if broken:
        report.conclude(
            BROKEN,
            "pip uses it and fails on %s: %s" % (broken[0], runs[broken[0]].failure()),
            "run pip -v against that protocol version and read what it says about the connection",
        )
    else:
        report.conclude(
            NOT_USED,
            "some connections of pip were made by something else: their exporter values are in no trace",
            "look for another program or package that changes pip's ssl",
        )


def _why_not_used(facts, runs):
    """(reason, advice) for a pip that works and never called the module."""
    if os.environ.get("TLS_BOOTSTRAP_PIP") == "0":
        return "TLS_BOOTSTRAP_PIP=0 is set", "unset TLS_BOOTSTRAP_PIP"
    if os.path.lexists(files.DISABLED_FILE):
        return "%s exists" % files.DISABLED_FILE, "remove that file"
    if facts["hook_directory"] is None and not facts["hook_files"]:
        return (
            "the pip hook is not installed",
            "install the package %s, or run pip as `tls-bootstrap pip`" % HOOK_PACKAGE,
        )
    if not facts["armed"]:
        return (
            "the hook in %s is not active: files are missing or damaged" % facts["hook_directory"],
            "reinstall the package %s" % HOOK_PACKAGE,
        )
    said = [run.hook_said for run in runs.values() if run.hook_said]
    if said:
        return "the hook says: " + said[0], "reinstall the packages of tls-bootstrap"
    return (
        "the hook is active but pip's connections are made by something else",
        "look for what else changes this interpreter's pip: other .pth files, sitecustomize, PYTHONPATH",
    )


def run(workshop, chosen, tell, online=()):
    """Examine the chosen interpreters, or all of the system; return the list of Reports.

    tell   -- function(text) that shows progress
    online -- the indexes.Index objects to try as well; None among them is the configured one
    """
    reports = []
    for interpreter in chosen or interpreters.installed():
        tell("examining %s" % interpreter.path)
        try:
            interpreter.inspect(workshop)
        except CommandError:
            if interpreter.named:
                raise
            continue  # e.g. a pyenv shim in /usr/local/bin that has no version selected
        # A workshop each: what one interpreter's runs leave is never another's.
        with Workshop(workshop.guest) as own:
            report = examine(interpreter, own)
            reports.append(report)
            if report.verdict == USED:
                for index in online:
                    tell("%s asks %s" % (interpreter.path, index.shown if index else "the configured index"))
                    indexes.examine(report, own, index)
    choose_what_counts(reports)
    return reports
