# SPDX-License-Identifier: Apache-2.0
"""Room is made for the ciphertext of a write before OpenSSL has it: here are the records whose length nobody could know."""

import os
import re
import socket
import subprocess

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

    def __init__(self, identity):
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_3", "-num_tickets", "0", "-naccept", "1"]
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


def test_an_answer_to_a_key_update_before_data(certificates):
    # No function of ours asks for one; OpenSSL's server does on a line "K". The answer goes before the next write.
    data = b"x" * 16000 + b"end of it"
    with ServerByOpenssl(certificates.localhost) as server:
        connection = socket.create_connection(("127.0.0.1", server.port), peers.LIMIT)
        incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
        client = peers.client_context(certificates).wrap_bio(incoming, outgoing, server_hostname="localhost")
        while True:
            try:
                client.do_handshake()
                break
            except tls.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
        connection.sendall(outgoing.read())
        client.write(b"ready\n")
        usual = outgoing.pending - len(b"ready\n")
        connection.sendall(outgoing.read())
        server.read_until(b"ready\n")
        server.type(b"K\n")
        incoming.write(connection.recv(65536))
        with pytest.raises(tls.SSLWantReadError):
            client.read(1)
        client.write(data)
        records = outgoing.read()
        assert len(records) > len(data) + usual  # so the answer is among them
        connection.sendall(records)
        assert server.read_until(b"x+end of it").group() == data
        connection.close()
