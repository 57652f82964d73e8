# SPDX-License-Identifier: Apache-2.0
"""MemoryBIO: a queue of bytes (ssl documentation, "Memory BIO Support")."""

import array
import sys
import weakref

import pytest

import heap
import peers

import _tls_bootstrap as tls


def test_bytes_come_out_in_the_order_they_went_in():
    bio = tls.MemoryBIO()
    assert bio.write(b"one") == 3
    assert bio.write(b"two") == 3
    assert bio.pending == 6
    assert bio.read(4) == b"onet"
    assert bio.read() == b"wo"
    assert bio.pending == 0
    assert bio.read() == b""


def test_eof_is_seen_only_when_everything_was_read():
    bio = tls.MemoryBIO()
    assert not bio.eof
    bio.write(b"last")
    bio.write_eof()
    assert not bio.eof
    assert bio.read() == b"last"
    assert bio.eof


def test_writing_after_the_end_is_refused():
    bio = tls.MemoryBIO()
    bio.write_eof()
    with pytest.raises(tls.SSLError) as caught:
        bio.write(b"late")
    assert "cannot write() after write_eof()" in str(caught.value)


def test_a_new_one_asks_its_class_for_nothing():
    # Each handshake makes four. On Python 3 the class leads to the module, which an error needs.
    asked = []

    class Asked(type):
        def __getattribute__(cls, name):
            asked.append(name)
            return type.__getattribute__(cls, name)

    noted = Asked("Noted", (tls.MemoryBIO,), {})
    del asked[:]
    bio = noted()
    bio.write(b"x" * 1000)
    bio.read()
    assert asked == []
    bio.write_eof()
    with pytest.raises(tls.SSLError):
        bio.write(b"late")
    assert asked == ([] if sys.version_info[0] == 2 else ["_core"])


@pytest.mark.parametrize("size", [0, 1, 3, 16384, 1000000])
def test_sizes(size):
    bio = tls.MemoryBIO()
    data = bytes(bytearray(i % 251 for i in range(size)))
    assert bio.write(data) == size
    assert bio.read() == data


def test_arguments_of_read_that_are_refused():
    bio = tls.MemoryBIO()
    bio.write(b"kept")
    for arguments, keywords in (((), {"size": 1}), ((1, 2), {}), (("1",), {}), ((None,), {})):
        with pytest.raises(TypeError):
            bio.read(*arguments, **keywords)
    assert bio.read() == b"kept"


def test_many_small_writes_and_reads_of_other_sizes():
    bio = tls.MemoryBIO()
    data = bytes(bytearray(range(256))) * 40
    for start in range(0, len(data), 7):
        bio.write(data[start : start + 7])
    parts = []
    while bio.pending:
        parts.append(bio.read(11))
    assert b"".join(parts) == data


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda b: array.array("B", bytearray(b))])
def test_any_bytes_like_object_can_be_written(kind):
    bio = tls.MemoryBIO()
    bio.write(kind(b"data"))
    assert bio.read() == b"data"


@pytest.mark.parametrize("value", [u"text", None, 5, True, ["list"]])
def test_what_is_not_bytes_is_refused(value):
    with pytest.raises(TypeError):
        tls.MemoryBIO().write(value)


def test_only_exact_bytes_are_kept_as_they_are():
    class Bytes(bytes):
        pass

    bio = tls.MemoryBIO()
    data = b"x" * 1000
    bio.write(data)
    assert bio.read() is data
    bio.write(Bytes(data))
    assert type(bio.read()) is bytes
    changing = bytearray(data)
    bio.write(changing)
    changing[:] = b"y" * 1000
    assert bio.read() == data


@pytest.mark.skipif(sys.version_info < (3,), reason="2.7's memoryview cannot be non-contiguous here")
def test_a_view_with_gaps_is_refused():
    with pytest.raises((BufferError, TypeError, ValueError)):
        tls.MemoryBIO().write(memoryview(b"abcdef")[::2])


def test_weak_references_and_subclasses():
    class Queue(tls.MemoryBIO):
        pass

    for kind in (tls.MemoryBIO, Queue):
        bio = kind()
        reference = weakref.ref(bio)
        assert reference() is bio
        del bio
        assert reference() is None


class TestReadsFromAnEmptyQueue(object):
    """OpenSSL is not asked when it could only say that it must wait: in every other state it is."""

    def pair(self, certificates, version):
        contexts = peers.client_context(certificates, version), peers.server_context(certificates.localhost, version)
        return peers.MemoryPair(*contexts)

    def test_between_records_it_is_a_want_read(self, certificates, version):
        pair = self.pair(certificates, version).handshake()
        for _ in range(2):
            with pytest.raises(tls.SSLWantReadError):
                pair.client.read(10)
        with pytest.raises(tls.SSLWantReadError):
            pair.client.read(10, bytearray(10))
        assert pair.send(pair.server, pair.client, b"then") == b"then"

    def test_before_the_handshake_it_begins_one(self, certificates, version):
        pair = self.pair(certificates, version)
        with pytest.raises(tls.SSLWantReadError):
            pair.client.read(10)
        assert pair.to_server.pending > 0
        pair.handshake()

    def test_after_close_notify_it_is_the_end(self, certificates, version):
        pair = self.pair(certificates, version).handshake()
        with pytest.raises(tls.SSLWantReadError):
            pair.server.unwrap()
        for _ in range(3):
            assert pair.client.read(10) == b""
            assert pair.to_client.pending == 0

    def test_after_the_end_of_the_file_it_is_an_error(self, certificates, version):
        pair = self.pair(certificates, version).handshake()
        pair.to_client.write_eof()
        for _ in range(2):
            with pytest.raises(tls.SSLError) as caught:
                pair.client.read(10)
            assert not isinstance(caught.value, tls.SSLWantReadError)

    def test_the_rest_of_a_record_is_given_though_the_queue_is_empty(self, certificates, version):
        pair = self.pair(certificates, version).handshake()
        pair.server.write(b"123456")
        assert pair.client.read(2) == b"12"
        assert pair.to_client.pending == 0
        assert pair.client.read(10) == b"3456"


class TestMemory(object):
    """What a queue keeps is at most twice what waits in it, and 64 KiB."""

    def check(self, before, bio):
        kept, waits = heap.allocated() - before, bio.pending
        assert kept <= 2 * waits + 65536, "%d bytes for %d" % (kept, waits)

    @pytest.mark.parametrize("piece", [1, 100, 511, 600, 20000, 1 << 22])
    def test_of_what_a_program_writes(self, piece):
        total = 1 << 22
        data = b"x" * piece
        count = total // piece
        before = heap.allocated()
        bio = tls.MemoryBIO()
        for number in range(count):
            bio.write(str(number % 10).encode("ascii") + data[1:])  # each an object of its own
        self.check(before, bio)
        for left in (total // 2, 70000, 1000, 0):
            bio.read(max(bio.pending - left, 0))
            self.check(before, bio)

    def test_of_small_and_large_pieces_in_turns(self):
        before = heap.allocated()
        bio = tls.MemoryBIO()
        for number in range(1000):
            bio.write(str(number).encode("ascii") * 200)
            bio.write(b"y")
        self.check(before, bio)
        for left in (300000, 70000, 1000, 0):
            bio.read(bio.pending - left)
            self.check(before, bio)

    @pytest.mark.parametrize("length", [1, 20, 100, 1024, 16384, 300000])
    def test_of_what_a_connection_writes(self, certificates, length, version):
        contexts = peers.client_context(certificates, version), peers.server_context(certificates.localhost, version)
        pair = peers.MemoryPair(*contexts).handshake()
        data = b"x" * length
        before = heap.allocated()
        for _ in range(min(100000, 3000000 // length)):
            pair.client.write(data)
        self.check(before, pair.to_server)
        for left in (100000, 1000, 0):
            pair.to_server.read(pair.to_server.pending - left)
            self.check(before, pair.to_server)
