# SPDX-License-Identifier: Apache-2.0
"""OpenSSL gets a waiting record from a MemoryBIO in one call, and not a byte of what follows: that may be no TLS at all."""

import pytest

import peers

import _tls_bootstrap as tls

BEHIND = b"plain text, which the program reads itself\n"
HEADER = 5


def closed_behind(pair, data):
    """What the client sends with `data` and a close_notify."""
    pair.client.write(data)
    with pytest.raises(tls.SSLWantReadError):
        pair.client.unwrap()
    return pair.to_server.read()


@pytest.mark.parametrize("length", [1, 1000, 16384, 50000])
def test_what_follows_records_stays(pair, length):
    data = b"x" * length
    pair.client.write(data)
    pair.to_server.write(pair.to_server.read() + BEHIND)
    taken = b""
    while len(taken) < length:
        taken += pair.server.read(1 << 20)
    assert taken == data
    assert pair.to_server.read() == BEHIND


@pytest.mark.parametrize("length", [1, 1000, 16384])
def test_what_follows_the_end_stays(pair, length):
    pair.to_server.write(closed_behind(pair, b"x" * length) + BEHIND)
    assert pair.server.read(20000) == b"x" * length
    assert pair.server.read(20000) == b""
    assert pair.to_server.read() == BEHIND


def test_unwrap_leaves_what_follows(pair):
    pair.to_server.write(closed_behind(pair, b"x") + BEHIND)
    assert pair.server.read(1) == b"x"
    pair.server.unwrap()
    assert pair.to_server.read() == BEHIND


@pytest.mark.parametrize("first", range(1, HEADER + 3))
def test_a_header_in_two_pieces(pair, first):
    records = closed_behind(pair, b"x" * 1000)
    pair.to_server.write(records[:first])
    for _ in range(2):
        with pytest.raises(tls.SSLWantReadError):
            pair.server.read(20000)
    pair.to_server.write(records[first:] + BEHIND)
    assert pair.server.read(20000) == b"x" * 1000
    assert pair.server.read(20000) == b""
    assert pair.to_server.read() == BEHIND


def test_the_rest_of_a_header_that_looks_like_another(certificates):
    """A length of 0x17.. begins as application data does; what follows states a record that reaches behind the end."""
    version = tls.TLSVersion.TLSv1_3
    pair = peers.MemoryPair(
        peers.client_context(certificates, version), peers.server_context(certificates.localhost, version)
    ).handshake()
    data, before = b"x" * 0x1720, HEADER - 2
    while True:  # one in six is such a record
        pair.client.write(data)
        record = pair.to_server.read()
        seeming = bytearray(record)[before : before + HEADER]
        if len(record) < seeming[3] << 8 | seeming[4] < 16000:
            break
        pair.to_server.write(record)
        assert pair.server.read(20000) == data
    assert seeming[0] == 0x17
    pair.to_server.write(record[:before])
    with pytest.raises(tls.SSLWantReadError):
        pair.server.read(20000)
    pair.to_server.write(record[before:] + 1000 * BEHIND)
    assert pair.server.read(20000) == data
    assert pair.to_server.read() == 1000 * BEHIND


def test_byte_by_byte(pair):
    taken, data = b"", b"x" * 700
    pair.client.write(data)
    for number in bytearray(pair.to_server.read()):
        pair.to_server.write(bytes(bytearray([number])))
        try:
            taken += pair.server.read(20000)
        except tls.SSLWantReadError:
            pass
        assert pair.to_server.pending == 0
    assert taken == data


def test_a_header_that_promises_too_much(pair):
    pair.to_server.write(b"\x17\x03\x03\xff\xff" + b"x" * 70000)
    with pytest.raises(tls.SSLError) as caught:
        pair.server.read(20000)
    assert caught.value.reason in ("ENCRYPTED_LENGTH_TOO_LONG", "PACKET_LENGTH_TOO_LONG", "DATA_LENGTH_TOO_LONG")


def test_each_length_is_returned(pair):
    buffer = bytearray(20000)
    for length in (700, 700, 701, 5, 700, 16384, 16384, 700):
        data = b"x" * length
        assert pair.client.write(data) == length
        records = pair.to_server.read()
        assert pair.to_server.write(records) == len(records)
        assert pair.server.read(20000, buffer) == length
