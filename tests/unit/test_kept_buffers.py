# SPDX-License-Identifier: Apache-2.0
"""OpenSSL's buffers: the four connections that worked last, again and again, have them (src/core/kept_buffers.h)."""

import threading

import pytest

import heap
import _tls_bootstrap as tls
from peers import LIMIT, MemoryPair, client_context, connected, server_context

KEPT = 4  # connections
TURNS = 8  # writes and reads
#: Bytes of the two buffers of a connection that has sent and received.
BUFFERS = 2 * (16384 + 512)
#: Bytes by which what malloc() gave may differ otherwise: a list, a thread's first errors, a record that waits.
SLACK = 12288
#: Where it cannot be asked to, because SSL_free_buffers() is not safe, OpenSSL frees them behind each record.
ARE_KEPT = tls.OPENSSL_VERSION_INFO >= (3, 5)


def work(pair, rounds=TURNS // 2 + 1):
    """Writes and reads of each end: so many that it keeps its buffers, both of them."""
    for _ in range(rounds):
        for sender, receiver in ((pair.client, pair.server), (pair.server, pair.client)):
            assert pair.send(sender, receiver, b"x" * 100) == b"x" * 100


class SocketPair(object):
    """A client and a server SSLSocket."""

    def __init__(self, certificates, version):
        self.client, self.server = connected(certificates, version)

    def send(self, sender, receiver, data):
        sender.sendall(data)
        return receiver.recv(len(data))

    def close(self):
        self.client.close()
        self.server.close()


class Listener(object):
    """A context's callback for messages. OpenSSL calls it for records if it is there before the handshake."""

    function = None

    def __call__(self, *message):
        if self.function is not None:
            self.function()


@pytest.fixture
def pairs(certificates, version):
    """Five pairs of ends that have worked; nobody has buffers, since those that worked last are gone.

    Each has contexts of its own.
    """

    def made():
        contexts = client_context(certificates, version), server_context(certificates.localhost, version)
        for context in contexts:
            context._msg_callback = Listener()
        return MemoryPair(*contexts).handshake()

    several = [made() for _ in range(5 + KEPT // 2)]
    for pair in several:
        work(pair)
    return several[:5]


def check_that_four_have_theirs(pairs):
    before = heap.allocated()
    for number, pair in enumerate(pairs):
        work(pair)
        expected = min(2 * (number + 1), KEPT) * BUFFERS if ARE_KEPT else 0
        assert abs(heap.allocated() - before - expected) < SLACK


def test_four_have_theirs(pairs):
    check_that_four_have_theirs(pairs)


def test_sockets_have_theirs_too(certificates, version):
    several = [SocketPair(certificates, version) for _ in range(5 + KEPT // 2)]
    for pair in several:
        work(pair)
    for pair in several[5:]:
        pair.close()
    del several[5:], pair
    check_that_four_have_theirs(several)
    for pair in several:
        pair.close()


def test_who_shakes_hands_takes_none_away(pairs):
    before = heap.allocated()
    for pair in pairs[: KEPT // 2]:
        work(pair)
    contexts = pairs[0].client.context, pairs[0].server.context
    others = [MemoryPair(*contexts) for _ in range(KEPT)]
    for other in others:
        for end in (other.client, other.server):
            with pytest.raises(tls.SSLWantReadError):
                end.do_handshake()
    del others, other, end
    assert abs(heap.allocated() - before - (KEPT * BUFFERS if ARE_KEPT else 0)) < SLACK


def test_who_works_seldom_has_none(pairs):
    before = heap.allocated()
    for _ in range(TURNS):
        for pair in pairs:
            work(pair, 1)
    assert abs(heap.allocated() - before) < SLACK


def test_who_is_gone_is_forgotten(pairs):
    work(pairs[0])
    del pairs[1:]
    before = heap.allocated()
    for _ in range(3):
        work(pairs[0])
    assert abs(heap.allocated() - before) < SLACK
    work(pairs[0])


def test_what_is_there_of_a_record_stays(pairs):
    subject, others = pairs[0], pairs[1:]
    for part in (1, 5, 6, 500):  # bytes: of the header, all of it, and some of the record
        subject.client.write(b"y" * 1000)
        record = subject.to_server.read()
        for piece in (record[:part], record[part:-1]):
            subject.to_server.write(piece)
            with pytest.raises(tls.SSLWantReadError):
                subject.server.read(1000)
            for pair in others:
                work(pair)
        subject.to_server.write(record[-1:])
        assert subject.server.read(400) == b"y" * 400
        for pair in others:
            work(pair)
        assert subject.server.read(1000) == b"y" * 600


@pytest.mark.parametrize("operation", ["read", "write"])
def test_others_work_in_the_midst_of_an_operation(pairs, operation):
    subject, others = pairs[0], pairs[1:]
    end = {"read": subject.server, "write": subject.client}[operation]
    calls = []

    def let_others_work():
        calls.append(1)
        for pair in others:
            work(pair)

    before = heap.allocated()
    work(subject)
    end.context._msg_callback.function = let_others_work
    assert subject.send(subject.client, subject.server, b"z" * 16384) == b"z" * 16384
    end.context._msg_callback.function = None
    assert calls
    del calls[:]
    for pair in others[: KEPT // 2]:
        work(pair)
    assert heap.allocated() - before < KEPT * BUFFERS + SLACK
    work(subject)


def test_a_connection_at_work_in_a_thread_frees_its_own(pairs):
    subject, others = pairs[0], pairs[1:]
    inside, go_on = threading.Event(), threading.Event()

    def wait():
        inside.set()
        assert go_on.wait(LIMIT)

    before = heap.allocated()
    work(subject)
    subject.client.context._msg_callback.function = wait
    writer = threading.Thread(target=subject.client.write, args=(b"x" * 20000,))
    writer.start()
    try:
        assert inside.wait(LIMIT)
        for pair in others[: KEPT // 2]:
            work(pair)
    finally:
        go_on.set()
        writer.join(LIMIT)
    assert heap.allocated() - before < KEPT * BUFFERS + 20000 + SLACK
    assert subject.server.read(20000) == b"x" * 20000
