# SPDX-License-Identifier: Apache-2.0
"""An encrypted key without a password: who sits at a terminal is asked, and nobody else ever waits."""

import fcntl
import os
import pty
import subprocess
import sys
import termios
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


def take_terminal():
    """Makes standard input the controlling terminal of a session of its own, so that /dev/tty is that terminal."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def at_a_terminal(arguments, answer):
    """Runs LOAD on a terminal of its own, answers the prompt; returns all that the terminal showed."""
    terminal, other_end = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", LOAD] + arguments,
        env=dict(os.environ, PYTHONPATH=TREE),
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        preexec_fn=take_terminal,
    )
    os.close(other_end)
    watchdog = threading.Timer(LIMIT, child.kill)
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
        child.wait()
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
