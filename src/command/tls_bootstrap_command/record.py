# SPDX-License-Identifier: Apache-2.0
"""The record of the last check under /var/lib/tls-bootstrap, and what has changed since.

The hook package's trigger on pip's directory creates the file `stale` beside the record.
"""

import json
import os
import tempfile
import time

from . import files
from .errors import CommandError
from .output import VERDICTS

RECORD = os.path.join(files.STATE, "check.json")
STALE_MARK = os.path.join(files.STATE, "stale")


def prepare():
    """Make the directory. Raises CommandError, before anything takes long, when it cannot be written to."""
    try:
        if not os.path.isdir(files.STATE):
            os.makedirs(files.STATE, 0o755)
            os.chmod(files.STATE, 0o755)  # root's umask may be stricter; `status` is for everybody
        tempfile.TemporaryFile(dir=files.STATE).close()
    except (IOError, OSError) as error:
        raise CommandError("--record: %s: %s; run it as root" % (files.STATE, error.strerror))


def write(reports, code):
    """Replace the record. Raises CommandError when the directory cannot be written to."""
    prepare()
    targets = []
    for report in reports:
        if report.interpreter.pip is not None:
            target = dict(report.interpreter.pip, python=report.interpreter.path)
            targets.append(dict(target, verdict=VERDICTS[report.verdict], reason=report.reason))
    contents = {"tls-bootstrap-record": 1, "time": int(time.time()), "exit": code, "targets": targets}
    try:
        descriptor, path = tempfile.mkstemp(dir=files.STATE, prefix=".check.")
        with os.fdopen(descriptor, "w") as stream:
            json.dump(contents, stream, indent=2, sort_keys=True)
        os.chmod(path, 0o644)
        os.rename(path, RECORD)
        if os.path.lexists(STALE_MARK):
            os.unlink(STALE_MARK)
    except (IOError, OSError) as error:
        raise CommandError("--record: %s: %s; run it as root" % (files.STATE, error.strerror))


def read():
    """The record as a dictionary, or None when there is none that can be read."""
    try:
        with open(RECORD) as stream:
            record = json.load(stream)
    except (IOError, OSError, ValueError, RuntimeError):  # RuntimeError: nested too deep
        return None
    return record if _is_whole(record) else None


def _is_whole(record):
    """Whether a record has what this version reads; a later one's may have more."""
    if not isinstance(record, dict) or not isinstance(record.get("targets"), list):
        return False
    try:
        time.localtime(record["time"])
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return False
    return all(isinstance(target, dict) for target in record["targets"])


def is_marked_stale():
    return os.path.lexists(STALE_MARK)


def change(record, interpreter):
    """What is different from the record for this interpreter's pip, in words, or None."""
    for target in record["targets"]:
        if target.get("python") != interpreter.path:
            continue
        for key in ("path", "version", "modified"):
            if target.get(key) != interpreter.pip[key]:
                return "changed since the last check"
        return None
    return "not there at the last check"
