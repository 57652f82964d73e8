# SPDX-License-Identifier: Apache-2.0
"""Runs one suite of the interpreter's own tests to its end, whatever its tests do, and writes the outcomes as JSON.

    PYTHON supervisor.py --module test.test_ssl --output FILE [--tree DIR] ... (--help lists all)
    PYTHON supervisor.py --identity

Runs under the interpreter that is examined, 2.7 included, in any root.  The tests themselves run in examinee.py; a test
that hangs or crashes is counted as failed and the rest is done by another process.
"""

from __future__ import absolute_import

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

#: What CPython's suites expect of OpenSSL's configuration: they use old protocols and short keys.
RELAXED = """openssl_conf = relaxed
[relaxed]
ssl_conf = modules
[modules]
system_default = settings
[settings]
MinProtocol = TLSv1
CipherString = DEFAULT@SECLEVEL=0
"""

#: Raised by hand when a change of these scripts makes other outcomes of runs with `ssl`.
FORMAT = 2

#: Variables that would make two runs differ, or a run differ between machines.
DROPPED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "OPENSSL_MODULES", "LD_PRELOAD")
DROPPED_BEGINNINGS = ("PYTHON", "TLS_BOOTSTRAP_")
DROPPED_ENDS = ("_proxy", "_PROXY")

EXAMINEE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "examinee.py")


def environment(directory):
    """The environment of the tests, with a relaxed TLS policy for either implementation."""
    variables = dict(
        (name, value)
        for name, value in os.environ.items()
        if name not in DROPPED and not name.startswith(DROPPED_BEGINNINGS) and not name.endswith(DROPPED_ENDS)
    )
    policy = os.path.join(directory, "openssl.cnf")
    with open(policy, "w") as stream:
        stream.write(RELAXED)
    variables.update(OPENSSL_CONF=policy, TLS_BOOTSTRAP_CONF=policy, PYTHONDONTWRITEBYTECODE="1", TMPDIR=directory)
    return variables


class Suite(object):
    """The outcomes so far of one suite."""

    def __init__(self, configuration, directory, limits, left_out=()):
        self.configuration = configuration
        self.directory = directory
        self.stall, self.whole = limits
        self.results = {}
        self.about = {}
        self.end = None
        self.notes = []
        self.running = None  # id of the test that has started and not ended
        self.ended = set(left_out)
        self._position = 0
        self._events = os.path.join(directory, "events")
        open(self._events, "w").close()

    def run(self):
        started = time.time()
        while self.end is None and time.time() - started < self.whole:
            why, output = self._one_process(started)
            if self.end is not None:
                break
            if self.running is None:
                self.notes.append("%s outside any test: %s" % (why, output))
                break
            self.results[self.running] = dict(outcome="failed", text=why, seconds=0, handshakes=0)
            self.ended.add(self.running)
            self.running = None

    def _one_process(self, started):
        """Starts an examinee and waits for its end; returns (why it ended, the end of what it printed)."""
        path = os.path.join(self.directory, "configuration.json")
        with open(path, "w") as stream:
            json.dump(dict(self.configuration, done=sorted(self.ended), events=self._events), stream)
        work = tempfile.mkdtemp(dir=self.directory)
        with open(os.path.join(self.directory, "output"), "w+b") as output:
            process = subprocess.Popen(
                [sys.executable, EXAMINEE, path],
                env=environment(self.directory),
                cwd=work,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=os.setsid,
            )
            process.stdin.close()
            try:
                why = self._watch(process, started)
            finally:
                _end_family(process)
            output.seek(0, os.SEEK_END)
            output.seek(max(0, output.tell() - 2000))
            return why, output.read().decode("utf-8", "replace").strip()

    def _watch(self, process, started):
        quiet_since = time.time()
        while True:
            status = process.poll()
            if self._read_events():
                quiet_since = time.time()
            if status is not None:
                return "the process ended with status %d" % status
            if time.time() - quiet_since > self.stall:
                return "no progress for %d s" % self.stall
            if time.time() - started > self.whole:
                return "the suite did not end within %d s" % self.whole
            time.sleep(0.05)

    def _read_events(self):
        """Takes in the lines that are new; returns whether there were any."""
        with open(self._events, "rb") as stream:
            stream.seek(self._position)
            data = stream.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._position += len(complete)
        for line in complete.decode("ascii").splitlines():
            event = json.loads(line)
            kind, name = event.pop("kind"), event.pop("id", None)
            if kind == "start":
                self.running = name
            elif kind == "result":
                self.results[name] = event
                self.ended.add(name)
                if name == self.running:
                    self.running = None
            elif kind == "about":
                self.about = self.about or event
            elif kind == "end":
                self.end = event
        return bool(complete)


def _end_family(process):
    """Ends whatever the tests have left running in the examinee's session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass  # all gone
    process.wait()


def identity():
    """What a run with this interpreter's own `ssl` depends on, as one digest, and which suites there are.

    Two interpreters of one digest give the same outcomes.
    """
    import ssl
    import test

    import _ssl

    directory = os.path.dirname(test.__file__)
    names = [sys.executable, os.path.splitext(ssl.__file__)[0] + ".py", getattr(_ssl, "__file__", None)]
    names.append(os.path.join(os.path.dirname(EXAMINEE), "smtplib_tls.py"))
    modules = []
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if name.endswith((".py", ".pem", ".cfg")):
            names.append(path)
            if name.endswith(".py"):
                modules.append(name[: -len(".py")])
        elif name in ("certdata", "capath", "support", "test_asyncio"):
            for place, _, files in sorted(os.walk(path)):
                names += [os.path.join(place, each) for each in sorted(files) if not each.endswith((".pyc", ".pyo"))]
            modules.append(name)
    digest = hashlib.sha256(repr((sys.version, ssl.OPENSSL_VERSION, RELAXED, FORMAT)).encode("ascii"))
    for path in names:
        if path and os.path.isfile(path):
            with open(path, "rb") as stream:
                digest.update(hashlib.sha256(stream.read()).digest())
    return dict(
        digest=digest.hexdigest(),
        modules=modules,
        openssl=ssl.OPENSSL_VERSION,
        python="%d.%d.%d" % sys.version_info[:3],
    )


def read_ids(path):
    """The ids in a file, one a line."""
    with open(path) as stream:
        return [line.strip() for line in stream if line.strip()]


def main(arguments):
    if arguments == ["--identity"]:
        print(json.dumps(identity()))
        return 0
    parser = argparse.ArgumentParser(description="Run one suite of this interpreter's own tests.")
    parser.add_argument("--module", required=True, help="such as test.test_ssl")
    parser.add_argument("--output", required=True, help="the JSON file to write")
    parser.add_argument("--tree", help="directory that holds _tls_bootstrap; without it, ssl itself is examined")
    parser.add_argument("--also", help="a file of further tests")
    parser.add_argument("--plant", help="a Python file executed on _tls_bootstrap first (to see it fail)")
    parser.add_argument("--select", help="regular expression of the ids to run")
    parser.add_argument("--only", help="file with the ids to run, one a line")
    parser.add_argument("--without", help="file with the ids to leave out, one a line")
    parser.add_argument("--stall", type=float, default=90, help="seconds that one test may take")
    parser.add_argument("--whole", type=float, default=1200, help="seconds that the suite may take")
    chosen = parser.parse_args(arguments)
    only = read_ids(chosen.only) if chosen.only else None
    without = read_ids(chosen.without) if chosen.without else ()
    configuration = dict(
        module=chosen.module,
        tree=chosen.tree and os.path.abspath(chosen.tree),
        also=chosen.also and os.path.abspath(chosen.also),
        plant=chosen.plant and os.path.abspath(chosen.plant),
        select=chosen.select,
        only=only,
    )
    directory = tempfile.mkdtemp(prefix="conformance-")
    started = time.time()
    try:
        suite = Suite(configuration, directory, (chosen.stall, chosen.whole), without)
        suite.run()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    report = dict(
        about=suite.about,
        end=suite.end,
        notes=suite.notes,
        results=suite.results,
        seconds=round(time.time() - started, 1),
    )
    temporary = chosen.output + ".new"
    with open(temporary, "w") as stream:
        json.dump(report, stream, indent=1, sort_keys=True)
    os.rename(temporary, chosen.output)
    return 0 if suite.end is not None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
