# SPDX-License-Identifier: Apache-2.0
"""Running children with a time limit, without their output filling a pipe."""

import json
import os
import signal
import subprocess
import tempfile
import threading

OUTPUT_LIMIT = 1 << 20
ANSWER = "tls-bootstrap-answer: "  # a line of children/answer.py; other ones are of .pth files and the like


def answers(text):
    """What a script of children/ answered, among whatever else was printed in its process."""
    return [json.loads(line[len(ANSWER) :]) for line in text.splitlines() if line.startswith(ANSWER)]


class Outcome(object):
    """What became of a child: its `pid`, `code` (negative for a signal), `out`, `err` and `timed_out`."""

    def __init__(self, pid, code, out, err, timed_out):
        self.pid, self.code, self.out, self.err, self.timed_out = pid, code, out, err, timed_out

    def failure(self):
        """The last thing that the child said, or how it ended, in one line."""
        if self.timed_out:
            return "did not end within the time limit"
        if self.code < 0:
            return "was killed by signal %d" % -self.code
        said = _reason((self.err + "\n" + self.out).splitlines())
        return "ended with exit code %d%s" % (self.code, ": " + said[:400] if said else "")


def _reason(lines):
    """What is most likely the reason among lines of a program's output, tracebacks of a verbose pip among them."""
    lines = [line.strip() for line in lines if line.strip()]
    about_tls = [line[line.index("[SSL") :] for line in lines if "[SSL" in line]
    errors = [line for line in lines if "rror: " in line or line.startswith("ERROR")]
    return (about_tls or errors or lines or [""])[-1]


def run(arguments, environment, directory, guest, limit):
    """Run a child as `guest` in `directory` for at most `limit` seconds; return its Outcome.

    Raises OSError when the program cannot be started.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with open(os.devnull, "rb") as nothing:
            process = subprocess.Popen(
                arguments,
                env=environment,
                cwd=directory,
                preexec_fn=guest.become,
                stdin=nothing,
                stdout=out,
                stderr=err,
                close_fds=True,
            )
        expired = []

        def expire():
            expired.append(True)
            kill_group(process)

        timer = threading.Timer(limit, expire)
        timer.start()
        try:
            code = process.wait()
        finally:
            timer.cancel()
            kill_group(process)  # grandchildren that outlived the child
        return Outcome(process.pid, code, _text(out), _text(err), bool(expired))


def _text(stream):
    stream.seek(0)
    text = stream.read(OUTPUT_LIMIT).decode("utf-8", "replace")
    return text if isinstance(text, str) else text.encode("utf-8")


def kill_all_in(directory):
    """Kill what has `directory`, in which children worked, in its environment: grandchildren that left their session too."""
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        try:
            with open("/proc/%s/environ" % pid, "rb") as stream:
                if directory.encode("utf-8") in stream.read(OUTPUT_LIMIT):
                    os.kill(int(pid), signal.SIGKILL)
        except (IOError, OSError):  # another user's process, or one that has just ended
            continue


def kill_group(process):
    """Kill the session that the child leads, itself included."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass
