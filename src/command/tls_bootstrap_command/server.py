# SPDX-License-Identifier: Apache-2.0
"""The check's side of the loopback index: starts the child and talks to it."""

import base64
import json
import os
import select
import subprocess

from . import environment, files, processes
from .errors import CommandError

ANSWER_LIMIT = 60  # seconds


class IndexServer(object):
    """The running index. Context manager; the child ends with it.

    After __enter__: `ports` (listener name -> port), `authority` and `stranger` (PEM text).
    """

    def __init__(self, python, module_directory, workshop, listeners, contents):
        self._python = python
        self._workshop = workshop
        self._process = None
        self._start = {
            "do": "start",
            "module_directory": module_directory,
            "names": ["localhost", "127.0.0.1"],
            "listeners": listeners,
            "files": dict((p, base64.b64encode(d).decode("ascii")) for p, d in contents.items()),
        }

    def __enter__(self):
        work = self._workshop.directory("server")
        self._log = open(os.devnull, "wb")
        self._process = subprocess.Popen(
            [self._python, "-B", "-E", "-s", files.child("index_server.py")],
            env=environment.for_children(work),
            cwd=work,
            preexec_fn=self._workshop.guest.become,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            close_fds=True,
        )
        try:
            answer = self.ask(self._start, work=work)
        except CommandError:
            self.__exit__()
            raise
        self.ports = answer["ports"]
        self.authority = answer["authority"]
        self.stranger = answer["stranger"]
        return self

    def __exit__(self, *exception):
        try:
            self._process.stdin.close()
        except (IOError, OSError):
            pass  # it has ended before, with a line of ours unread
        processes.kill_group(self._process)
        self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def begin(self, nonce):
        self.ask({"do": "begin", "nonce": nonce})

    def report(self):
        """What the index saw since `begin`: a list of dictionaries, one per connection."""
        return self.ask({"do": "report"})["connections"]

    def _answer(self):
        """The next answer, past whatever else is printed in that process."""
        said, output = b"", self._process.stdout.fileno()
        while True:
            if not select.select([output], [], [], ANSWER_LIMIT)[0]:
                raise CommandError("the loopback index under %s does not answer" % self._python)
            data = os.read(output, 65536)
            if not data:
                raise CommandError("the loopback index under %s ended" % self._python)
            said += data
            answers = processes.answers(said[: said.rfind(b"\n") + 1].decode("utf-8", "replace"))
            if answers:
                return answers[0]

    def ask(self, command, **more):
        """Send one command; return the answer. Raises CommandError when the child fails."""
        line = json.dumps(dict(command, **more)) + "\n"
        try:
            self._process.stdin.write(line.encode("ascii"))
            self._process.stdin.flush()
        except (IOError, OSError):
            pass  # the missing answer tells
        answer = self._answer()
        if "failure" in answer:
            raise CommandError("the loopback index under %s: %s" % (self._python, answer["failure"]))
        return answer
