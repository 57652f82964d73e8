# SPDX-License-Identifier: Apache-2.0
"""Other threads run while this package waits or works.

Each test blocks for ever if they do not: what is waited for can only be done by another thread.
"""

import errno
import os
import socket
import sys
import threading

import pytest

import _tls_bootstrap as tls
import peers


def from_fifo(tmpdir, path, load):
    """Calls load(name of a FIFO) while another thread writes a file's contents into it, as often as it is opened."""
    fifo, spare = str(tmpdir.join("fifo")), str(tmpdir.join("spare"))
    os.mkfifo(fifo)
    with open(path, "rb") as stream:
        contents = stream.read()
    done = threading.Event()

    def feed():
        # Opening a FIFO waits for its reader, and the reader's opening for this.
        while not done.is_set():
            descriptor = os.open(fifo, os.O_WRONLY)
            # Each reader has a FIFO of its own: it would never see the end if the next contents came into the same one.
            os.mkfifo(spare)
            os.rename(spare, fifo)
            try:
                os.write(descriptor, contents)
            except OSError as error:
                if error.errno != errno.EPIPE:  # the reader only looked whether it could be opened
                    raise
            finally:
                os.close(descriptor)

    writer = threading.Thread(target=feed)
    writer.daemon = True
    writer.start()
    load(fifo)
    done.set()
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)  # lets go a writer that waits, or will wait, for another reader
    writer.join(peers.LIMIT)
    os.close(reader)
    assert not writer.is_alive()


def test_reading_certificate_authorities(certificates, tmpdir):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    from_fifo(tmpdir, certificates.authority.certificate, context.load_verify_locations)
    assert len(context.get_ca_certs()) == 1


def test_reading_a_key(certificates, tmpdir):
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    from_fifo(
        tmpdir, certificates.localhost.key, lambda fifo: context.load_cert_chain(certificates.localhost.certificate, fifo)
    )


@pytest.mark.parametrize("part", ["handshake", "read", "write", "unwrap"])
def test_waiting_for_the_peer(certificates, version, part):
    ready = threading.Event()

    def handler(connection):
        # Raw TCP first: the client is in its handshake until this thread has run.
        secured = peers.server_context(certificates.localhost, version).wrap_socket(connection, server_side=True)
        if part == "read":
            secured.sendall(b"late")
        if part == "write":
            count = 0
            while count < SIZE:
                count += len(secured.recv(65536))
        if part == "unwrap":
            secured.unwrap()
        ready.wait(peers.LIMIT)
        secured.close()

    with peers.Server(handler) as server:
        sock = server.connect()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection = peers.client_context(certificates, version).wrap_socket(sock, server_hostname="localhost")
        if part == "read":
            assert connection.recv(100) == b"late"
        if part == "write":
            connection.sendall(b"x" * SIZE)
        if part == "unwrap":
            connection.unwrap().close()
        ready.set()
        connection.close()


#: More than the buffers of both sockets hold, so that writing waits for the reader.
SIZE = 16 * 1024 * 1024


@pytest.mark.parametrize("step", ["do_handshake", "read"])
def test_handshaking_in_memory(certificates, tmpdir, step):
    context = peers.server_context(certificates.localhost)
    fifo = str(tmpdir.join("secrets"))
    os.mkfifo(fifo)
    descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    context.keylog_filename = fifo
    with pytest.raises((OSError, IOError)) as full:
        while True:
            os.write(descriptor, b"x")
    assert full.value.errno == errno.EAGAIN
    inside = threading.Event()
    context._msg_callback = lambda *message: inside.set()

    def make_room():
        inside.wait(peers.LIMIT)
        os.read(descriptor, 65536)

    reader = threading.Thread(target=make_room)
    reader.start()
    pair = peers.MemoryPair(peers.client_context(certificates), context)
    for act in (pair.client.do_handshake, getattr(pair.server, step)):
        with pytest.raises(tls.SSLWantReadError):
            act()  # the server logs its secrets, and there is room for them when the reader has run
    reader.join(peers.LIMIT)
    assert not reader.is_alive()
    assert pair.to_client.pending
    os.close(descriptor)


@pytest.fixture
def no_turns():
    """Until the test ends no thread's turn ends by itself: another one runs where this one gives the GIL up."""
    if sys.version_info[0] == 2:
        before, put = sys.getcheckinterval(), sys.setcheckinterval
        put(1 << 30)
    else:
        before, put = sys.getswitchinterval(), sys.setswitchinterval
        put(1000.0)
    yield
    put(before)


def waiting_thread():
    """A thread that waits for an event, and the list in which it leaves a mark once it has the GIL again."""
    start, marks = threading.Lock(), []
    start.acquire()

    def leave_mark():
        with start:
            marks.append(True)

    thread = threading.Thread(target=leave_mark)
    thread.start()
    return start, marks, thread


def test_a_record_in_memory_is_not_worth_it_and_more_are(certificates, no_turns, version):
    """The threshold: one record's work is done with the GIL where one thread does all of it, longer writes without it."""
    contexts = peers.client_context(certificates, version), peers.server_context(certificates.localhost)
    pair = peers.MemoryPair(*contexts).handshake()
    record, more = b"x" * 16384, b"x" * 16385
    for _ in range(500):  # that another test had threads is forgotten by then
        pair.client.write(record)
        assert pair.server.read(16384) == record
    start, marks, thread = waiting_thread()
    start.release()
    for _ in range(5000):
        pair.client.write(record)
        assert pair.server.read(16384) == record
    kept = not marks
    while not marks:
        pair.client.write(more)
        pair.to_server.read()
    thread.join(peers.LIMIT)
    assert kept
