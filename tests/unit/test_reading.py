# SPDX-License-Identifier: Apache-2.0
"""What one read gives: the records behind a full one too, and nothing that a later record may spoil."""

import gc
import socket
import weakref

import pytest

import peers

import _tls_bootstrap as tls

RECORD = 16384
# The most that one read gives, connection_read.c.
FEW_IN_AN_OBJECT, IN_AN_OBJECT, IN_A_BUFFER = 2 * RECORD, 4 * RECORD, 64 * RECORD
MUCH = 128 * 1024  # where more waits a new object is larger


def into_object(connection, length):
    return connection.read(length)


def into_buffer(connection, length):
    buffer = bytearray(length)
    return bytes(buffer[: connection.read(length, buffer)])


@pytest.fixture(params=[into_object, into_buffer])
def read(request):
    return request.param


def at_once(read, data):
    """What one read gives of `data` that waits, less than MUCH."""
    return data[:FEW_IN_AN_OBJECT] if read is into_object else data


def numbered(length):
    """Bytes in which every place can be told from the others."""
    return b"".join(("%07d\n" % number).encode("ascii") for number in range(length // 8 + 1))[:length]


@pytest.mark.parametrize("length", [RECORD - 1, RECORD, RECORD + 1, 2 * RECORD, 2 * RECORD + 5, 50000])
def test_the_records_of_one_write_are_read_at_once(pair, read, length):
    data = numbered(length)
    pair.client.write(data)
    first = at_once(read, data)
    assert read(pair.server, IN_AN_OBJECT) == first
    if first != data:
        assert read(pair.server, IN_AN_OBJECT) == data[len(first) :]
    with pytest.raises(tls.SSLWantReadError):
        pair.server.read(1)


@pytest.mark.parametrize("first", [1, 100, RECORD - 1])
@pytest.mark.parametrize("second", [1, RECORD, 40000])
def test_a_record_that_is_not_full_ends_a_read(pair, read, first, second):
    pair.client.write(b"x" * first)
    pair.client.write(b"y" * second)
    assert read(pair.server, IN_AN_OBJECT) == b"x" * first
    assert read(pair.server, IN_AN_OBJECT) == at_once(read, b"y" * second)


def test_the_last_record_of_a_write_ends_a_read(pair, read):
    pair.client.write(b"x" * (RECORD + 1))
    pair.client.write(b"y" * RECORD)
    assert read(pair.server, IN_AN_OBJECT) == b"x" * (RECORD + 1)
    assert read(pair.server, IN_AN_OBJECT) == b"y" * RECORD


def test_a_read_gives_no_more_than_it_is_asked_for(pair, read):
    data = numbered(5 * RECORD)
    pair.client.write(data)
    taken = b""
    for length in (RECORD + 1, RECORD - 1, 7, 2 * RECORD, 100):
        part = read(pair.server, length)
        assert 0 < len(part) <= length
        taken += part
    while len(taken) < len(data):
        taken += read(pair.server, 30000)
    assert taken == data


@pytest.mark.parametrize("read, most", [(into_object, IN_AN_OBJECT), (into_buffer, IN_A_BUFFER)])
def test_a_read_of_very_much_ends_after_some_records(pair, read, most):
    data = numbered(IN_A_BUFFER + 3 * RECORD)
    pair.client.write(data)
    first = read(pair.server, 2 * len(data))
    assert len(first) == most
    taken = [first]
    while sum(map(len, taken)) < len(data):
        taken.append(read(pair.server, 2 * len(data)))
    assert b"".join(taken) == data


@pytest.mark.parametrize(
    "read, waiting, most",
    [
        (into_object, MUCH - RECORD, FEW_IN_AN_OBJECT),
        (into_object, MUCH, IN_AN_OBJECT),
        (into_buffer, MUCH - RECORD, MUCH - RECORD),
    ],
)
def test_a_new_object_is_small_where_little_waits(pair, read, waiting, most):
    data = numbered(waiting)
    pair.client.write(data)
    assert read(pair.server, 2 * waiting) == data[:most]


def test_objects_stay_large_until_all_is_read(pair):
    for data, lengths in (
        (numbered(2 * MUCH), [IN_AN_OBJECT] * 4),
        (numbered(IN_AN_OBJECT), [FEW_IN_AN_OBJECT] * 2),
    ):
        pair.client.write(data)
        taken = [pair.server.read(2 * MUCH) for _ in lengths]
        assert [len(part) for part in taken] == lengths
        assert b"".join(taken) == data
        with pytest.raises(tls.SSLWantReadError):
            pair.server.read(1)


@pytest.mark.parametrize("records", [2, 3])
@pytest.mark.parametrize("missing", [1, 10000, 16400, 16405])
def test_a_record_that_has_not_arrived_is_not_waited_for(pair, read, missing, records):
    there = (records - 1) * RECORD
    data = numbered(records * RECORD)
    pair.client.write(data)
    sent = pair.to_server.read()
    pair.to_server.write(sent[:-missing])
    assert read(pair.server, IN_AN_OBJECT) == data[:there]
    with pytest.raises(tls.SSLWantReadError):
        read(pair.server, IN_AN_OBJECT)
    pair.to_server.write(sent[-missing:])
    assert read(pair.server, IN_AN_OBJECT) == data[there:]


@pytest.mark.parametrize("size", [3, 1000, 16406, 20000])
def test_records_in_pieces(pair, read, size):
    data = numbered(3 * RECORD + 77)
    pair.client.write(data)
    records = pair.to_server.read()
    for start in range(0, len(records), size):
        pair.to_server.write(records[start : start + size])
    first = at_once(read, data)
    assert read(pair.server, IN_AN_OBJECT) == first
    if first != data:
        assert read(pair.server, IN_AN_OBJECT) == data[len(first) :]


@pytest.mark.parametrize("records", [1, 2])
def test_the_end_behind_data(pair, read, records):
    data = numbered(records * RECORD)
    pair.client.write(data)
    with pytest.raises(tls.SSLWantReadError):
        pair.client.unwrap()
    assert read(pair.server, IN_AN_OBJECT) == data
    for _ in range(2):
        assert read(pair.server, IN_AN_OBJECT) == b""


@pytest.mark.parametrize("count", [2, 3])
def test_what_fails_behind_data_is_raised_by_the_next_read(pair, read, count):
    data = numbered(count * RECORD)
    pair.client.write(data)
    records = bytearray(pair.to_server.read())
    records[-1] = records[-1] ^ 1  # a tag that does not fit
    pair.to_server.write(bytes(records))
    assert read(pair.server, IN_AN_OBJECT) == data[: (count - 1) * RECORD]
    assert read(pair.server, 0) == b""
    with pytest.raises(tls.SSLError) as caught:
        read(pair.server, IN_AN_OBJECT)
    assert caught.value.reason == "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"
    with pytest.raises(tls.SSLError) as caught:  # and not the same error for ever
        read(pair.server, IN_AN_OBJECT)
    assert caught.value.reason != "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"


class Refused(Exception):
    """Raised by a callback; unlike those that are built in it can be referred to weakly."""


def pair_that_refuses_the_second_record(certificates, version):
    heads, raised = [], []

    def listen(connection, direction, version, content_type, message_type, data):
        if int(content_type) == 0x100 and bytearray(data)[0] == 23 and sending:  # the header of a record with data
            heads.append(data)
            if len(heads) == 2:
                error = Refused()
                raised.append(weakref.ref(error))
                raise error

    sending = []
    server = peers.server_context(certificates.localhost, version)
    server._msg_callback = listen
    pair = peers.MemoryPair(peers.client_context(certificates, version), server).handshake()
    sending.append(True)
    return pair, raised


def test_what_a_callback_raises_behind_data(certificates, version, read):
    pair, _ = pair_that_refuses_the_second_record(certificates, version)
    data = numbered(3 * RECORD)
    pair.client.write(data)
    assert read(pair.server, IN_AN_OBJECT) == data[: 2 * RECORD]
    with pytest.raises(Refused):
        read(pair.server, IN_AN_OBJECT)
    assert read(pair.server, IN_AN_OBJECT) == data[2 * RECORD :]


def test_an_error_that_is_never_fetched_goes_with_its_connection(certificates, version, read):
    pair, raised = pair_that_refuses_the_second_record(certificates, version)
    pair.client.write(b"x" * (3 * RECORD))
    assert read(pair.server, IN_AN_OBJECT) == b"x" * (2 * RECORD)
    assert [error() is None for error in raised] == [False]
    del pair  # which the error's traceback refers to as well
    gc.collect()
    assert [error() is None for error in raised] == [True]
    assert not any(isinstance(item, Refused) for item in gc.get_objects())


def test_records_whose_content_cannot_be_told_are_read_one_by_one(certificates, read):
    # A suite with blocks and padding.
    client = peers.client_context(certificates, tls.TLSVersion.TLSv1_2)
    client.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    pair = peers.MemoryPair(client, peers.server_context(certificates.localhost)).handshake()
    data = numbered(2 * RECORD + 9)
    pair.client.write(data)
    assert [len(read(pair.server, IN_AN_OBJECT)) for _ in range(2)] == [RECORD, RECORD]
    assert read(pair.server, IN_AN_OBJECT) == data[2 * RECORD :]


@pytest.fixture
def sockets(certificates, version):
    client, server = peers.connected(certificates, version)
    yield client, server
    client.close()
    server.close()


def test_a_socket_gives_the_records_that_are_there_and_waits_for_no_other(sockets):
    client, server = sockets
    data = numbered(2 * RECORD)
    client.sendall(data)
    buffer = bytearray(IN_AN_OBJECT)
    assert server.recv_into(buffer) == len(data)
    assert bytes(buffer[: len(data)]) == data
    client.sendall(b"x" * (RECORD + 1))
    client.sendall(b"more")
    assert server.recv_into(buffer) == RECORD + 1
    assert server.recv_into(buffer) == 4


def test_a_socket_that_ends_without_notice_behind_data(sockets):
    client, server = sockets
    server.suppress_ragged_eofs = False
    data = numbered(2 * RECORD)
    client.sendall(data)
    client.shutdown(socket.SHUT_RDWR)
    buffer = bytearray(IN_AN_OBJECT)
    assert server.recv_into(buffer) == len(data)
    assert bytes(buffer[: len(data)]) == data
    with pytest.raises(tls.SSLEOFError):
        server.recv_into(buffer)
