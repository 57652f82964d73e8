# SPDX-License-Identifier: Apache-2.0
"""An encrypted key without a password: who sits at a terminal is asked, and nobody else ever waits."""

import os
import pty
import signal
import sys
import threading

import pytest

from authority import PASSWORD
from children import LIMIT, TREE

PROMPT = b"Enter PEM pass phrase: "

LOAD = """
import sys, _tls_bootstrap as tls
context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
try:
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    print("loaded")
except tls.SSLError as error:
    print("SSLError %s" % error)
"""


def at_a_terminal(arguments, answer):
    """Runs LOAD on a terminal of its own, answers the prompt; returns all that the terminal showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-c", LOAD] + arguments, dict(os.environ, PYTHONPATH=TREE))
    watchdog = threading.Timer(LIMIT, os.kill, (child, signal.SIGKILL))
    watchdog.start()
    shown, answered = b"", False
    try:
        while True:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # Linux: EIO where the other end is closed
                data = b""
            if not data:
                break
            shown += data
            if PROMPT in shown and not answered:
                os.write(terminal, answer.encode("ascii") + b"\n")
                answered = True
    finally:
        os.waitpid(child, 0)
        watchdog.cancel()
        os.close(terminal)
    return shown.decode("utf-8")


@pytest.fixture(params=["pkcs8_key", "traditional_key"])
def files(request, certificates):
    return [certificates.localhost_rsa.certificate, getattr(certificates, request.param)]


def test_the_right_password_is_asked_for_without_echo(files):
    shown = at_a_terminal(files, PASSWORD)
    assert shown.count(PROMPT.decode("ascii")) == 1
    assert shown.split()[-1] == "loaded", shown
    assert PASSWORD not in shown


def test_a_wrong_password_is_an_error_and_is_asked_for_once(files):
    shown = at_a_terminal(files, "wrong")
    assert shown.count(PROMPT.decode("ascii")) == 1
    assert "SSLError" in shown and "loaded" not in shown


def test_an_empty_password_is_an_error(files):
    shown = at_a_terminal(files, "")
    assert "SSLError" in shown and "loaded" not in shown
