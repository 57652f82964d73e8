# SPDX-License-Identifier: Apache-2.0
"""MemoryBIO: a queue of bytes (ssl documentation, "Memory BIO Support")."""

import array
import sys
import weakref

import pytest

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


@pytest.mark.parametrize("size", [0, 1, 3, 16384, 1000000])
def test_sizes(size):
    bio = tls.MemoryBIO()
    data = bytes(bytearray(i % 251 for i in range(size)))
    assert bio.write(data) == size
    assert bio.read() == data


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
