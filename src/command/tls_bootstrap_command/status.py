# SPDX-License-Identifier: Apache-2.0
"""`tls-bootstrap status`: what is installed and switched, on one screen. Proves nothing: `check` does."""

import os
import time

from . import files, interpreters, record
from .errors import CommandError


def lines(workshop):
    """The lines of the status report."""
    yield "command        %s" % (files.version() or "unknown version")
    yield "off switches   %s" % _switches()
    last = record.read()
    yield "last check     %s" % _last_check(last)
    yield ""
    changed = False
    for interpreter in interpreters.installed():
        try:
            interpreter.inspect(workshop)
        except CommandError:
            continue
        if interpreter.pip is None:
            continue
        change = last and record.change(last, interpreter)
        changed = changed or change
        state = ": " + (change or _verdict(last, interpreter)) if last else ""
        yield "%s   Python %s, pip %s%s" % (interpreter.path, interpreter.facts["version"], interpreter.pip["version"], state)
        yield "    module     %s" % _module(interpreter)
        yield "    pip hook   %s" % _hook(interpreter.facts)
    if changed and not record.is_marked_stale():  # then it is said above
        yield "Not every pip is the one that was checked: run `tls-bootstrap check --record`"


def _switches():
    found = []
    if os.environ.get("TLS_BOOTSTRAP_PIP") == "0":
        found.append("TLS_BOOTSTRAP_PIP=0 (this environment)")
    if os.path.lexists(files.DISABLED_FILE):
        found.append("%s (everybody)" % files.DISABLED_FILE)
    return ", ".join(found) or "none"


def _last_check(last):
    if last is None:
        return "none on record; run `tls-bootstrap check --record`"
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(last["time"]))
    text = "%s, exit code %s" % (when, last.get("exit"))
    if record.is_marked_stale():
        text += "; a package changed pip since then: run `tls-bootstrap check --record`"
    return text


def _verdict(last, interpreter):
    for target in last["targets"]:
        if target.get("python") == interpreter.path:
            return "%s, unchanged since" % target.get("verdict")
    return "unknown"


def _module(interpreter):
    facts, module = interpreter.facts, interpreter.module
    if facts["module_directory"] is None:
        return "not installed"
    if "error" in module:
        return module["error"].replace("ImportError: _tls_bootstrap: ", "").partition("; ")[0]
    text = "%s, %s, %s" % (module["version"], module["flavour"], " ".join(module["openssl"].split()[:2]))
    # Where it lies is said once: the hook takes the module beside it.
    beside = facts["module_directory"] in (facts["armed_directory"], facts["hook_directory"])
    return text if beside else "%s, in %s" % (text, facts["module_directory"])


def _hook(facts):
    if facts["armed"]:
        return "active, in %s" % facts["armed_directory"]
    if facts["hook_directory"] or facts["hook_files"]:
        return "not active, damaged in %s" % facts["hook_directory"]
    return "not installed"
