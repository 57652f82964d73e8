# SPDX-License-Identifier: Apache-2.0
"""One operation at a time on a connection, also where a callback gives up the GIL in the midst of it.

What is short is done with the GIL and without the connection's mutex (src/core/gil_lock.h), until a callback runs.
"""

import threading

import pytest

import _tls_bootstrap as tls
import peers

SHORT, LONG = 100, 40000  # done with the GIL; without it


class Intruder(object):
    """Does `work` in another thread while a callback of the first message runs, which waits for it for a moment."""

    def __init__(self, work):
        self.began, self.ended = threading.Event(), threading.Event()
        self.was_kept_out = None
        self.armed = False
        self.result = None
        self.work = work
        self.thread = threading.Thread(target=self.run)
        self.thread.daemon = True

    def run(self):
        self.began.set()
        self.result = self.work()
        self.ended.set()

    def __call__(self, *message):
        if self.armed:
            self.armed = False
            self.thread.start()
            assert self.began.wait(peers.LIMIT)
            # Who is let in ends at once; who is kept out waits for us, however long this is.
            self.was_kept_out = not self.ended.wait(0.1)

    def during(self, operation, *arguments):
        self.armed = True
        answer = operation(*arguments)
        assert self.ended.wait(peers.LIMIT), "the other thread hangs"
        self.thread.join(peers.LIMIT)
        return answer


def pair_with(callback, certificates, version):
    contexts = peers.client_context(certificates, version), peers.server_context(certificates.localhost, version)
    for context in contexts:
        context._msg_callback = callback
    return peers.MemoryPair(*contexts).handshake()


@pytest.mark.parametrize("theirs", [SHORT, LONG])
@pytest.mark.parametrize("ours", [SHORT, LONG])
def test_two_writes(certificates, version, ours, theirs):
    intruder = Intruder(lambda: pair.client.write(b"b" * theirs))
    pair = pair_with(intruder, certificates, version)
    assert intruder.during(pair.client.write, b"a" * ours) == ours
    assert intruder.was_kept_out
    assert intruder.result == theirs
    assert pair.send(pair.client, pair.server, b"c") == b"a" * ours + b"b" * theirs + b"c"


@pytest.mark.parametrize("ask", ["pending", "shared_ciphers"])
def test_a_question_during_a_write(certificates, version, ask):
    intruder = Intruder(lambda: getattr(pair.client, ask)())
    pair = pair_with(intruder, certificates, version)
    expected = getattr(pair.client, ask)()
    intruder.during(pair.client.write, b"a" * SHORT)
    assert intruder.was_kept_out
    assert intruder.result == expected


def test_two_reads(certificates, version):
    intruder = Intruder(lambda: pair.server.read(SHORT))
    pair = pair_with(intruder, certificates, version)
    pair.client.write(b"a" * SHORT)
    pair.client.write(b"b" * SHORT)
    assert intruder.during(pair.server.read, SHORT) == b"a" * SHORT
    assert intruder.was_kept_out
    assert intruder.result == b"b" * SHORT


@pytest.mark.parametrize("length", [SHORT, LONG])
def test_the_memory_is_free_between_two_records(certificates, version, length):
    """A MemoryBIO is kept from others while OpenSSL puts a record into it, not while Python code runs."""
    intruder = Intruder(lambda: (pair.to_server.pending, pair.to_client.write(b"")))
    pair = pair_with(intruder, certificates, version)
    intruder.during(pair.client.write, b"a" * length)
    assert not intruder.was_kept_out
    assert intruder.result == (0, 0)
    assert pair.send(pair.client, pair.server, b"c") == b"a" * length + b"c"


def test_a_callback_may_use_the_connection_itself(certificates, version):
    inner = []

    def callback(connection, *message):
        if writing:
            writing.pop()
            inner.append((connection.version(), connection.pending()))

    writing = []
    pair = pair_with(callback, certificates, version)
    expected = pair.client.version(), 0
    for length in (SHORT, LONG):
        writing.append(True)
        pair.client.write(b"a" * length)
    assert inner == [expected] * 2


def test_after_a_callback_that_raised(certificates, version):
    def callback(*message):
        if writing:
            writing.pop()
            raise KeyError("refused")

    writing = []
    pair = pair_with(callback, certificates, version)
    writing.append(True)
    with pytest.raises(KeyError):
        pair.client.write(b"a" * SHORT)
    intruder = Intruder(lambda: pair.client.write(b"b" * SHORT))
    intruder.thread.start()
    assert intruder.ended.wait(peers.LIMIT), "the connection stayed locked"
    assert pair.send(pair.client, pair.server, b"c") == b"a" * SHORT + b"b" * SHORT + b"c"
    assert pair.client.version() == version.name.replace("_", ".")
    assert isinstance(pair.client.context, tls.SSLContext)
