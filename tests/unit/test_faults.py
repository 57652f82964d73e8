# SPDX-License-Identifier: Apache-2.0
"""Servers that go away at the wrong moment."""

import os
import socket
import struct

import pytest

import _tls_bootstrap as tls
from peers import LIMIT, MemoryPair, Server, client_context, read_all, server_context

RECORD_HEADER = 5


class ScriptedServer(object):
    """The TLS side of a server whose bytes the test sends itself, over a bare socket."""

    def __init__(self, certificates, version):
        self.incoming, self.outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        self.tls = server_context(certificates.localhost, version).wrap_bio(
            self.incoming, self.outgoing, server_side=True
        )

    def handshake(self, connection):
        """Completes the handshake with the client at the other end of `connection`."""
        while True:
            try:
                self.tls.do_handshake()
                connection.sendall(self.outgoing.read())
                return
            except tls.SSLWantReadError:
                connection.sendall(self.outgoing.read())
                self.incoming.write(self.receive(connection))

    def first_flight(self, connection):
        """The server's answer to the client's first message, not sent."""
        while not self.outgoing.pending:
            self.incoming.write(self.receive(connection))
            with pytest.raises(tls.SSLWantReadError):
                self.tls.do_handshake()
        return self.outgoing.read()

    @staticmethod
    def receive(connection):
        data = connection.recv(65536)
        assert data, "the client closed early"
        return data

    def record(self, data):
        """One record with `data`, not sent."""
        self.tls.write(data)
        return self.outgoing.read()


def half_close(connection):
    """Ends the server's direction, then waits for the client: it sees an end of file, not a reset."""
    connection.shutdown(socket.SHUT_WR)
    read_all(connection)


@pytest.mark.parametrize("part", ["nothing", "header", "half a record", "one message"])
def test_the_server_closes_during_the_handshake(certificates, version, part):
    def serve(connection):
        flight = ScriptedServer(certificates, version).first_flight(connection)
        length = {
            "nothing": 0,
            "header": RECORD_HEADER - 1,
            "half a record": RECORD_HEADER + 20,
            "one message": RECORD_HEADER + struct.unpack(">H", flight[3:5])[0],
        }[part]
        connection.sendall(flight[:length])
        half_close(connection)

    with Server(serve) as server:
        connection = server.connect()
        with pytest.raises(tls.SSLEOFError) as caught:
            client_context(certificates, version).wrap_socket(
                connection, server_hostname="localhost"
            )
        connection.close()
    assert caught.value.errno == tls.SSL_ERROR_EOF
    assert "EOF" in str(caught.value)


def test_the_server_resets_during_the_handshake(certificates, version):
    def reset(connection):
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with Server(reset) as server:
        connection = server.connect()
        with pytest.raises(EnvironmentError) as caught:
            client_context(certificates, version).wrap_socket(
                connection, server_hostname="localhost"
            )
        connection.close()
    assert not isinstance(caught.value, (tls.SSLError, socket.timeout)) or isinstance(
        caught.value, tls.SSLEOFError
    )


@pytest.mark.parametrize("part", [0, 3, RECORD_HEADER, RECORD_HEADER + 10, -1])
def test_the_server_closes_within_a_record(certificates, version, part):
    def serve(connection):
        script = ScriptedServer(certificates, version)
        script.handshake(connection)
        connection.sendall(script.record(b"whole record"))
        connection.sendall(script.record(b"cut record" * 10)[:part])
        half_close(connection)

    for suppress in (False, True):
        with Server(serve) as server:
            client = client_context(certificates, version).wrap_socket(
                server.connect(), server_hostname="localhost", suppress_ragged_eofs=suppress
            )
            assert client.recv(100) == b"whole record"
            if suppress:
                assert client.recv(100) == b""
            else:
                with pytest.raises(tls.SSLEOFError) as caught:
                    client.recv(100)
                assert caught.value.errno == tls.SSL_ERROR_EOF
            client.close()


def test_a_damaged_record_is_an_error(certificates, version):
    pair = MemoryPair(
        client_context(certificates, version), server_context(certificates.localhost, version)
    ).handshake()
    pair.server.write(b"important")
    record = bytearray(pair.to_client.read())
    record[-1] ^= 1
    pair.to_client.write(record)
    with pytest.raises(tls.SSLError) as caught:
        pair.client.read(100)
    assert caught.value.reason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    with pytest.raises(tls.SSLError) as told:
        pair.server.read(100)
    assert told.value.reason == "SSLV3_ALERT_BAD_RECORD_MAC"


def test_a_replayed_record_is_an_error(certificates, version):
    pair = MemoryPair(
        client_context(certificates, version), server_context(certificates.localhost, version)
    ).handshake()
    pair.server.write(b"pay once")
    record = pair.to_client.read()
    pair.to_client.write(record + record)
    assert pair.client.read(100) == b"pay once"
    with pytest.raises(tls.SSLError):
        pair.client.read(100)


def test_one_byte_at_a_time(certificates, version):
    incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
    client = client_context(certificates, version).wrap_bio(
        incoming, outgoing, server_hostname="localhost"
    )
    script = ScriptedServer(certificates, version)
    done = [False, False]
    while not all(done):
        for index, end in enumerate((client, script.tls)):
            source, target = (
                (script.outgoing, incoming) if index == 0 else (outgoing, script.incoming)
            )
            target.write(source.read(1))
            try:
                end.do_handshake()
                done[index] = True
            except tls.SSLWantReadError:
                pass
    while script.outgoing.pending:
        incoming.write(script.outgoing.read(1))
    script.tls.write(b"hello")
    received = b""
    while script.outgoing.pending:
        incoming.write(script.outgoing.read(1))
        try:
            received += client.read(100)
        except tls.SSLWantReadError:
            pass
    assert received == b"hello"


def test_the_peer_goes_away_before_anything_is_sent(certificates):
    with Server(lambda connection: None) as server:
        connection = server.connect()
        server.join()
        with pytest.raises(EnvironmentError):
            client_context(certificates).wrap_socket(connection, server_hostname="localhost")
        connection.close()


def test_a_refused_connection_is_the_systems_error(certificates):
    unused = socket.socket()
    unused.bind(("127.0.0.1", 0))
    client = client_context(certificates).wrap_socket(socket.socket(), server_hostname="localhost")
    client.settimeout(LIMIT)
    with pytest.raises(EnvironmentError) as caught:
        client.connect(unused.getsockname())
    assert not isinstance(caught.value, tls.SSLError)
    client.close()
    unused.close()


def test_large_writes_arrive_whole(certificates, version):
    data = os.urandom(1 << 20) * 4
    with Server(read_all, server_context(certificates.localhost, version)) as server:
        client = client_context(certificates, version).wrap_socket(
            server.connect(), server_hostname="localhost"
        )
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        read_all(client)
        client.close()
    assert server.results == [data]
