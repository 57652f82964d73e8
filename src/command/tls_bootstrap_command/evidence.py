# SPDX-License-Identifier: Apache-2.0
"""Do the server's connections and pip's trace speak of the same handshakes?

Each end computes the TLS exporter value of a connection (RFC 8446 section 7.5; RFC 5705 with RFC 7627)
from the secrets of that handshake and the check's nonce. Equal values in the server's report and in
the trace mean that `_tls_bootstrap` in the traced process made this very connection.
"""

import json


def header(nonce):
    """The first line of a trace file, bytes."""
    return (json.dumps({"tls-bootstrap-trace": 1, "nonce": nonce}) + "\n").encode("ascii")


def parse_trace(data, nonce):
    """The connection lines of a trace; an empty list when it is not the file that we began."""
    lines = data.decode("ascii", "replace").splitlines()
    if not lines or data[: len(header(nonce))] != header(nonce):
        return []
    connections = []
    for line in lines[1:]:
        try:
            entry = json.loads(line)
        except (ValueError, RuntimeError):  # RuntimeError: nested too deep
            continue
        if isinstance(entry, dict):
            connections.append(entry)
    return connections


class Match(object):
    """The comparison of one pip run.

    served    -- connections over which something was asked for
    matched   -- pairs (server's facts, trace entry) of equal exporter value
    unmatched -- served connections that no trace entry claims
    download  -- the pair that carried the wheel, or None

    pid -- of the pip that was started: no other process may have made a connection
    """

    def __init__(self, connections, trace, wheel_path, pid):
        self.served = [facts for facts in connections if facts["requests"]]
        self.failed = [facts for facts in connections if facts["error"] and not facts["requests"]]
        self.trace = trace
        self.matched = []
        self.unmatched = []
        self.download = None
        unused = dict((entry["exporter"], entry) for entry in trace if _is_whole(entry))
        for facts in self.served:
            entry = unused.pop(facts["exporter"], None)
            if entry is None or not _is_of(pid, facts, entry):
                self.unmatched.append(facts)
                continue
            self.matched.append((facts, entry))
            if wheel_path in facts["requests"]:
                self.download = (facts, entry)

    @property
    def proves_use(self):
        return self.download is not None and not self.unmatched


def _is_whole(entry):
    """Whether the entry has what `_tls_bootstrap` writes: whatever runs in pip's process can write other things there."""
    text = type(u"")
    return all(isinstance(entry.get(key), text) for key in ("exporter", "module", "core")) and isinstance(entry.get("pid"), int)


def _is_of(pid, facts, entry):
    """By the trace's word, and by the kernel's on who was connected where it tells that."""
    return entry.get("pid") == pid and facts.get("client_pid", pid) == pid
