# SPDX-License-Identifier: Apache-2.0
"""Child interpreters in surroundings of a test's choice."""

import collections
import os
import re
import subprocess
import sys
import threading

import _tls_bootstrap as tls

#: Seconds after which a child that hangs is killed.
LIMIT = 120.0

#: The directory that holds the `_tls_bootstrap` under test.
TREE = os.path.dirname(os.path.dirname(os.path.abspath(tls.__file__)))
HERE = os.path.dirname(os.path.abspath(__file__))

Result = collections.namedtuple("Result", "status output errors")

#: Finds `_tls_bootstrap` in the first argument even where PYTHONPATH is ignored, and has `handshake()`.
PREAMBLE = """
import sys
sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[2])
"""


def start_python(code, arguments=(), options=(), tree=TREE, environment=None, prepare=None):
    """Starts a new interpreter of this version that runs `code` after PREAMBLE; its three streams are pipes.

    arguments: sys.argv[3:]; options: of the interpreter; environment: replaces the whole of it;
    prepare: called in the child before the interpreter starts.
    """
    if environment is None:
        environment = dict((name, value) for name, value in os.environ.items() if name != "PYTHONPATH")
    return subprocess.Popen(
        [sys.executable] + list(options) + ["-c", PREAMBLE + code, tree, HERE] + list(arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        preexec_fn=prepare,
        universal_newlines=True,
    )


def run_python(*arguments, **keywords):
    """Runs what `start_python` starts to its end.

    Returns its exit status (negative: the signal that ended it) and what it wrote, as native str.
    """
    process = start_python(*arguments, **keywords)
    watchdog = threading.Timer(LIMIT, process.kill)
    watchdog.start()
    try:
        output, errors = process.communicate()
    finally:
        watchdog.cancel()
    return Result(process.returncode, output, without_references(errors))


def without_references(text):
    """What a child wrote to stderr, less the count of references that a debug build of 2.7 ends with."""
    return re.sub(r"\[\d+ refs\]\n$", "", text) if hasattr(sys, "gettotalrefcount") else text


def check_python(code, *arguments, **keywords):
    """What a child printed, stripped; a child that fails is an AssertionError with its errors."""
    result = run_python(code, *arguments, **keywords)
    assert result.status == 0, "child ended with %d:\n%s" % (result.status, result.errors)
    return result.output.strip()
