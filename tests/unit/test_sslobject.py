# SPDX-License-Identifier: Apache-2.0
"""SSLObject.read(), write() and do_handshake(), which its base in C has: they are called as functions in Python would be."""

import gc
import inspect
import io
import sys
import weakref

import pytest

import peers

import _tls_bootstrap as tls
from _tls_bootstrap import _connection, _core


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
    for call in (
        lambda: bare._sslobj,
        lambda: bare.read(1),
        lambda: bare.read(len=1),
        lambda: bare.write(b"x"),
        lambda: bare.do_handshake(),
    ):
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
    assert {each.kind for each in list(read.values())[1:]} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert list(inspect.signature(tls.SSLObject.write).parameters)[1:] == ["data"]
    assert tls.SSLObject.read.__doc__.startswith("Returns up to len bytes")
    assert not list(inspect.signature(tls.SSLObject.do_handshake).parameters)[1:]


def test_a_subclass_is_made_by_its_own_new(certificates):
    class Noted(tls.SSLObject):
        def __new__(cls, *args, **kwargs):
            self = super(Noted, cls).__new__(cls)
            self.made_by = cls
            return self

    client = peers.client_context(certificates)
    client.sslobject_class = Noted
    assert client.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname="localhost").made_by is Noted


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
@pytest.mark.parametrize("wrong", [None, b"", io.BytesIO(), tls.MemoryBIO], ids=["None", "bytes", "BytesIO", "class"])
def test_a_buffer_that_is_no_memory_bio_is_named(certificates, direction, wrong):
    buffers = {"incoming": tls.MemoryBIO(), "outgoing": tls.MemoryBIO(), direction: wrong}
    with pytest.raises(TypeError) as caught:
        peers.client_context(certificates).wrap_bio(server_hostname="localhost", **buffers)
    assert str(caught.value) == "%s must be a MemoryBIO" % direction


@pytest.mark.parametrize("arguments", [(), (tls.SSLObject, tls.MemoryBIO(), tls.MemoryBIO(), False, None)], ids=["none", "five"])
def test_the_base_of_wrap_bio_takes_six_arguments(certificates, arguments):
    with pytest.raises(TypeError):
        peers.client_context(certificates)._wrap_bio(*arguments)


@pytest.mark.parametrize("wrong", [object, int, _core._SSLContext, None, "SSLObject"])
def test_what_is_no_class_of_connections_cannot_be_made(certificates, wrong):
    client = peers.client_context(certificates)
    with pytest.raises(TypeError):
        client._wrap_bio(wrong, tls.MemoryBIO(), tls.MemoryBIO(), False, "localhost", None)


def test_what_new_gives_must_be_an_object_of_ours(certificates):
    class Other(object):
        pass

    class Deceptive(tls.SSLObject):
        def __new__(cls, *args, **kwargs):
            return Other()

    client = peers.client_context(certificates)
    client.sslobject_class = Deceptive
    with pytest.raises(TypeError, match="no SSLObject"):
        client.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname="localhost")


class Refused(Exception):
    """What a hook raises."""


@pytest.fixture
def hooks():
    """Sets the functions that the C half calls after a handshake; None stands for the package's own."""

    def own(completed=_connection.handshake_completed, refused=_connection.tell_names):
        _core.set_handshake_hooks(completed, refused)

    yield own
    own()


def test_what_is_called_after_a_handshake(certificates, hooks):
    called = []
    hooks(completed=called.append)
    pair = peers.MemoryPair(peers.client_context(certificates), peers.server_context(certificates.localhost)).handshake()
    assert sorted(each.server_side for each in called) == [False, True]
    assert {id(each) for each in called} == {id(pair.client._sslobj), id(pair.server._sslobj)}


def test_what_is_called_after_a_refusal(certificates, hooks):
    called = []
    hooks(refused=lambda error, connection: called.append((type(error), error.verify_code, connection.server_side)))
    with pytest.raises(tls.SSLCertVerificationError):
        peers.MemoryPair(
            peers.client_context(certificates), peers.server_context(certificates.localhost), server_hostname="other"
        ).handshake()
    assert called == [(tls.SSLCertVerificationError, 62, False)]  # X509_V_ERR_HOSTNAME_MISMATCH


def test_other_errors_are_not_told_to_it(certificates, hooks):
    called = []
    hooks(refused=lambda error, connection: called.append(error))
    end = peers.client_context(certificates).wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname="localhost")
    with pytest.raises(tls.SSLWantReadError):
        end.do_handshake()
    incoming = tls.MemoryBIO()
    incoming.write(b"no TLS at all\r\n")
    end = peers.client_context(certificates).wrap_bio(incoming, tls.MemoryBIO(), server_hostname="localhost")
    with pytest.raises(tls.SSLError):
        end.do_handshake()
    assert called == []


@pytest.mark.parametrize("name", ["localhost", "other"])
def test_what_such_a_function_raises_is_raised(certificates, hooks, name):
    def fail(*arguments):
        raise Refused

    hooks(completed=fail, refused=fail)
    pair = peers.MemoryPair(peers.client_context(certificates), peers.server_context(certificates.localhost), server_hostname=name)
    with pytest.raises(Refused):
        pair.handshake()
