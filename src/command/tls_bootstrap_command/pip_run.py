# SPDX-License-Identifier: Apache-2.0
"""One run of the real pip against the loopback index, and the evidence that it left."""

import binascii
import os
import re
import socket

from . import environment, evidence, processes, wheel
from .errors import CommandError, PipError

PIP_LIMIT = 120  # seconds for one run of pip
TRACE_LIMIT = 1 << 20  # bytes
HOOK_LINE = "tls-bootstrap: "


class Pip(object):
    """The pip of one interpreter, as its user would start it."""

    def __init__(self, interpreter, workshop):
        self._workshop = workshop
        self._command = [interpreter.path, "-m", "pip"]
        if interpreter.pip_script:
            self._command = [interpreter.path, interpreter.pip_script]
        self._verb = None

    def run(self, arguments, variables, directory):
        """Run this pip; return its Outcome. Raises CommandError when it cannot be started."""
        try:
            return processes.run(self._command + arguments, variables, directory, self._workshop.guest, PIP_LIMIT)
        except OSError as error:
            raise CommandError("%s cannot be started: %s" % (self._command[0], error.strerror))

    def download_verb(self):
        """The arguments that make this pip download without installing: asked from its own help. Raises PipError."""
        if self._verb is None:
            directory = self._workshop.directory("help-" + binascii.hexlify(os.urandom(4)).decode("ascii"))
            variables = environment.for_children(directory)
            commands = self.run(["--help"], variables, directory)
            if commands.code != 0:
                raise PipError("pip --help %s" % commands.failure())
            if re.search(r"^\s+download\s", commands.out, re.MULTILINE):
                self._verb = ["download", "--dest"]
            else:
                options = self.run(["install", "--help"], variables, directory)
                if "--download " not in options.out:
                    raise PipError("this pip knows neither `download` nor `install --download`")
                self._verb = ["install", "--download"]
        return self._verb

    def download(self, server, listener, authority, contents, switched_off=False):
        """Download the wheel from the listener; return a PipRun.

        authority    -- PEM text that pip is told to trust
        contents     -- the bytes that the download must have
        switched_off -- set the hook's off switch
        """
        nonce = binascii.hexlify(os.urandom(32)).decode("ascii")
        name = "pip-" + nonce[:8]
        home = self._workshop.directory(name)
        verb, option = self.download_verb()
        trace = self._workshop.write(os.path.join(name, "trace"), evidence.header(nonce))
        trusted = self._workshop.write(os.path.join(name, "authority.pem"), authority.encode("ascii"))
        target = self._workshop.directory(os.path.join(name, "downloads"))
        url = "https://%s:%d/simple" % (loopback_name(), server.ports[listener])
        server.begin(nonce)
        outcome = self.run(
            [verb, "-v", "--no-deps", option, target, "--index-url", url, "--cert", trusted, wheel.PROJECT],
            environment.for_loopback(home, trace, switched_off),
            home,
        )
        downloaded = self._workshop.read(os.path.join(name, "downloads", wheel.FILE_NAME), len(contents) + 1)
        entries = evidence.parse_trace(self._workshop.read(os.path.join(name, "trace"), TRACE_LIMIT), nonce)
        match = evidence.Match(server.report(), entries, "/files/" + wheel.FILE_NAME, outcome.pid)
        return PipRun(outcome, downloaded == contents, match)


class PipRun(object):
    """How one run ended.

    succeeded -- pip said so and the file is the one that was served
    match     -- the evidence.Match of its connections
    hook_said -- what the hook reported to the verbose pip, or None
    """

    def __init__(self, outcome, is_same_file, match):
        self.outcome = outcome
        self.succeeded = outcome.code == 0 and not outcome.timed_out and is_same_file
        self.match = match
        self.proves_use = self.succeeded and match.proves_use
        said = [line for line in outcome.err.splitlines() if line.startswith(HOOK_LINE)]
        self.hook_said = said[0][len(HOOK_LINE) :] if said else None

    def failure(self):
        """Why it did not succeed, in one line."""
        if self.outcome.code == 0 and not self.outcome.timed_out:
            return "pip said that it succeeded, but the file is not the one that the index served"
        return "pip %s" % self.outcome.failure()


def loopback_name():
    """A name under which pip reaches the index: `localhost` unless the system does not know it."""
    try:
        if socket.gethostbyname("localhost") == "127.0.0.1":
            return "localhost"
    except socket.error:
        pass
    return "127.0.0.1"
