# SPDX-License-Identifier: Apache-2.0
"""SSLObject.read() and write(), which its base in C has: they are called as functions in Python would be."""

import gc
import inspect
import sys
import weakref

import pytest

import peers

import _tls_bootstrap as tls
from _tls_bootstrap import _core


@pytest.fixture
def pair(certificates):
    client = peers.client_context(certificates)
    return peers.MemoryPair(client, peers.server_context(certificates.localhost)).handshake()


def test_arguments_by_position_by_name_and_left_out(pair):
    assert pair.client.write(data=b"a" * 1500) == 1500
    assert pair.server.read() == b"a" * 1024
    assert pair.server.read(len=100) == b"a" * 100
    target = bytearray(200)
    assert pair.server.read(100, buffer=target) == 100
    assert pair.server.read(buffer=target, len=50) == 50
    assert pair.server.read(50, None) == b"a" * 50
    assert pair.server.read(10000, target) == 176
    assert bytes(target[:176]) == b"a" * 176


@pytest.mark.parametrize(
    "call",
    [
        lambda end: end.read(1, None, 3),
        lambda end: end.read(size=1),
        lambda end: end.read("1"),
        lambda end: end.read(1.5),
        lambda end: end.read(1, b"read-only"),
        lambda end: end.write(),
        lambda end: end.write(b"a", b"b"),
        lambda end: end.write(text=b"a"),
        lambda end: end.write(u"text"),
    ],
)
def test_other_arguments_are_type_errors(pair, call):
    with pytest.raises((TypeError, BufferError)):
        call(pair.client)


def test_lengths_that_cannot_be(pair):
    with pytest.raises(ValueError):
        pair.client.read(-1)
    with pytest.raises(OverflowError):
        pair.client.read(1 << 70)


def test_a_subclass_may_have_its_own(certificates):
    class Counting(tls.SSLObject):
        written = 0

        def write(self, data):
            self.written += 1
            return super(Counting, self).write(data)

    client = peers.client_context(certificates)
    client.sslobject_class = Counting
    pair = peers.MemoryPair(client, peers.server_context(certificates.localhost)).handshake()
    assert isinstance(pair.client, Counting)
    pair.client.write(b"x")
    assert pair.client.written == 1
    assert pair.server.read(1) == b"x"


def test_the_connection_behind_it(pair):
    assert isinstance(pair.client._sslobj, _core._SSLSocket)
    with pytest.raises(TypeError, match="_sslobj must be a connection of the C half"):
        pair.client._sslobj = None
    with pytest.raises(AttributeError):
        del pair.client._sslobj
    pair.client._sslobj = pair.server._sslobj
    assert pair.client._sslobj is pair.server._sslobj


def test_without_connection():
    bare = tls.SSLObject.__new__(tls.SSLObject)
    for call in (lambda: bare._sslobj, lambda: bare.read(1), lambda: bare.read(len=1), lambda: bare.write(b"x")):
        with pytest.raises(AttributeError, match="_sslobj"):
            call()
    with pytest.raises(TypeError, match="public constructor"):
        tls.SSLObject(tls.MemoryBIO(), tls.MemoryBIO())


def test_a_cycle_through_it_is_collected(pair):
    end = pair.client
    end.itself = end
    gone = weakref.ref(end)
    pair.client = end = None
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(sys.version_info < (3, 4), reason="2.7's inspect knows no signatures of functions written in C")
def test_signatures_are_those_of_ssl():
    read = inspect.signature(tls.SSLObject.read).parameters
    assert [(each.name, each.default) for each in list(read.values())[1:]] == [("len", 1024), ("buffer", None)]
    assert {each.kind.name for each in list(read.values())[1:]} == {"POSITIONAL_OR_KEYWORD"}
    assert list(inspect.signature(tls.SSLObject.write).parameters)[1:] == ["data"]
    assert tls.SSLObject.read.__doc__.startswith("Returns up to len bytes")
