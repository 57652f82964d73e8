# SPDX-License-Identifier: Apache-2.0
"""Room is made for the ciphertext of a write before OpenSSL has it: here are the records whose length nobody could know."""

import os
import re
import socket
import subprocess
import threading

import pytest

import peers

import _tls_bootstrap as tls

LENGTHS = [1, 15, 16, 17, 600, 16383, 16384, 16385, 50000]


def parts(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384"])
def test_records_with_padding(certificates, suite):
    client = peers.client_context(certificates, tls.TLSVersion.TLSv1_2)
    client.set_ciphers(suite)
    pair = peers.MemoryPair(client, peers.server_context(certificates.localhost)).handshake()
    assert pair.client.cipher()[0] == suite
    for length in LENGTHS:
        data = b"x" * (length - 1) + b"y"
        for sender, queue, receiver in ((pair.client, pair.to_server, pair.server), (pair.server, pair.to_client, pair.client)):
            sender.write(data)
            queue.write(queue.read())  # what a program would carry from one MemoryBIO to another
            assert b"".join(receiver.read(20000) for _ in parts(data, 16384)) == data


@pytest.mark.parametrize("size", [-1, 7, 20000])
def test_an_alert_behind_data(certificates, version, size):
    pair = peers.MemoryPair(
        peers.client_context(certificates, version), peers.server_context(certificates.localhost, version)
    ).handshake()
    data = b"x" * 20000
    pair.client.write(data)
    with pytest.raises(tls.SSLWantReadError):
        pair.client.unwrap()
    taken = b""
    while pair.to_server.pending:  # out and in again, in pieces of another length than it came
        taken += pair.to_server.read(size)
    for part in parts(taken, 11000):
        pair.to_server.write(part)
    assert pair.server.read(30000) + pair.server.read(30000) == data
    assert pair.server.read(1) == b""


class ServerByOpenssl(object):
    """A context manager: `openssl s_server` for one connection; what it prints, and a line to type."""

    def __init__(self, identity, *options):
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-naccept", "1"] + list(options)
        command += ["-cert", identity.certificate, "-key", identity.key]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        self.port = int(self.read_until(br"ACCEPT \S+:(\d+)\n").group(1))

    def read_until(self, pattern):
        said = b""
        while re.search(pattern, said) is None:
            more = os.read(self.process.stdout.fileno(), 65536)
            assert more, said
            said += more
        return re.search(pattern, said)

    def type(self, line):
        self.process.stdin.write(line)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def receive(connection):
    data = connection.recv(65536)
    assert data, "the server has ended"
    return data


def shake_hands(client, incoming, outgoing, connection):
    while True:
        try:
            client.do_handshake()
            break
        except tls.SSLWantReadError:
            connection.sendall(outgoing.read())
            incoming.write(receive(connection))
    connection.sendall(outgoing.read())


def test_an_answer_to_a_key_update_before_data(certificates):
    # No function of ours asks for one; OpenSSL's server does on a line "K". The answer goes before the next write.
    data = b"x" * 16000 + b"end of it"
    with ServerByOpenssl(certificates.localhost, "-tls1_3", "-num_tickets", "0") as server:
        connection = socket.create_connection(("127.0.0.1", server.port), peers.LIMIT)
        incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        client = peers.client_context(certificates).wrap_bio(incoming, outgoing, server_hostname="localhost")
        shake_hands(client, incoming, outgoing, connection)
        client.write(b"ready\n")
        usual = outgoing.pending - len(b"ready\n")
        connection.sendall(outgoing.read())
        server.read_until(b"ready\n")
        server.type(b"K\n")
        incoming.write(receive(connection))
        with pytest.raises(tls.SSLWantReadError):
            client.read(1)
        client.write(data)
        records = outgoing.read()
        assert len(records) > len(data) + usual  # so the answer is among them
        connection.sendall(records)
        assert server.read_until(b"x+end of it").group() == data
        connection.close()


SUITES = {"ECDHE-ECDSA-AES128-GCM-SHA256": 29, "ECDHE-ECDSA-CHACHA20-POLY1305": 21}  # and what they add to a record


# Renegotiation that the peer asks for is refused by default from OpenSSL 3 on; before, by a flag that refuses all of it.
@pytest.mark.skipif(tls.OPENSSL_VERSION_INFO < (3,), reason="over OpenSSL before 3 our contexts refuse to renegotiate")
@pytest.mark.parametrize("first, second", [sorted(SUITES), sorted(SUITES, reverse=True)])
def test_a_renegotiation_that_changes_the_cipher(certificates, first, second):
    # OpenSSL's server asks for it on a line "r".
    context = peers.client_context(certificates, tls.TLSVersion.TLSv1_2)
    context.set_ciphers(first)
    with ServerByOpenssl(certificates.localhost, "-tls1_2", "-no_resumption_on_reneg") as server:
        connection = socket.create_connection(("127.0.0.1", server.port), peers.LIMIT)
        incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        shake_hands(client, incoming, outgoing, connection)
        for suite in (first, second):
            while client.cipher()[0] != suite:  # a read goes on with the handshake
                with pytest.raises(tls.SSLWantReadError):
                    client.read(1)
                connection.sendall(outgoing.read())
                incoming.write(receive(connection))
            # The first line may come with the end of the handshake, the second one comes alone.
            for line in (b"the first with %s\n", b"the second with %s\n"):
                line = line.replace(b"%s", suite.encode("ascii"))
                server.type(line)
                while True:
                    try:
                        assert client.read(1024) == line
                        break
                    except tls.SSLWantReadError:
                        incoming.write(receive(connection))
                client.write(line)
                assert outgoing.pending == len(line) + SUITES[suite]
                connection.sendall(outgoing.read())
                server.read_until(line)
            context.set_ciphers(second)
            server.type(b"r\n")
        connection.close()


def echo(connection):
    while True:
        data = connection.recv(20000)
        if not data:
            break
        connection.sendall(data)
    connection.close()


@pytest.mark.parametrize(
    "suite",
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA256",
    ],
)
def test_another_openssl_understands_every_length(certificates, suite):
    # OpenSSL has other code for each number of blocks and each kind of processor, and two ends of ours would make the same
    # mistake in it.
    ssl = pytest.importorskip("ssl", reason="this Python has no ssl to compare with")
    accepting = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_SERVER", ssl.PROTOCOL_SSLv23))
    accepting.load_cert_chain(certificates.localhost.certificate, certificates.localhost.key)
    accepting.set_ciphers(suite)
    one, other = peers.socket_pair()
    thread = threading.Thread(target=lambda: echo(accepting.wrap_socket(other, server_side=True)))
    thread.daemon = True
    thread.start()
    client = peers.client_context(certificates, tls.TLSVersion.TLSv1_2).wrap_socket(one, server_hostname="localhost")
    client.settimeout(peers.LIMIT)
    assert client.cipher()[0] == suite
    text = bytes(bytearray(range(256))) * 64
    for length in list(range(1, 2200)) + [4095, 4096, 4097, 8191, 8192, 8193, 16383, 16384]:
        client.sendall(text[:length])
        assert client.recv(20000) == text[:length]
    client.shutdown(socket.SHUT_RDWR)  # 2.7's `one` keeps it open
    client.close()
    thread.join(peers.LIMIT)
    assert not thread.is_alive()
