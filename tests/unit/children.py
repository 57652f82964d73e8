# SPDX-License-Identifier: Apache-2.0
"""Child interpreters, for what a test must not do to its own process."""

import collections
import os
import subprocess
import sys
import threading

import _tls_bootstrap as tls

#: Seconds after which a child that hangs is killed.
LIMIT = 60.0

#: The directory that holds the `_tls_bootstrap` under test.
TREE = os.path.dirname(os.path.dirname(os.path.abspath(tls.__file__)))

Result = collections.namedtuple("Result", "status output errors")


def run_python(code, arguments=(), options=(), tree=TREE):
    """Runs `code` in a new interpreter of this version that finds `_tls_bootstrap` in `tree`.

    Returns its exit status (negative: the signal that ended it) and what it wrote, as native str.
    """
    environment = dict(os.environ, PYTHONPATH=tree)
    process = subprocess.Popen(
        [sys.executable] + list(options) + ["-c", code] + list(arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        universal_newlines=True,
    )
    watchdog = threading.Timer(LIMIT, process.kill)
    watchdog.start()
    try:
        output, errors = process.communicate()
    finally:
        watchdog.cancel()
    return Result(process.returncode, output, errors)


def check_python(code, arguments=(), options=(), tree=TREE):
    """What a child printed, stripped; a child that fails is an AssertionError with its errors."""
    result = run_python(code, arguments, options, tree)
    assert result.status == 0, "child ended with %d:\n%s" % (result.status, result.errors)
    return result.output.strip()
