# SPDX-License-Identifier: Apache-2.0
"""SSLSocket's recv(), recv_into(), send() and sendall(), which are C: they are called as functions in Python would be."""

import gc
import inspect
import socket
import sys
import threading
import weakref

import pytest

import peers
from children import check_python

import _tls_bootstrap as tls
from _tls_bootstrap import _core

NAMES = ("recv", "recv_into", "send", "sendall")
CALLS = (
    lambda end: end.recv(1),
    lambda end: end.recv_into(bytearray(1)),
    lambda end: end.send(b"x"),
    lambda end: end.sendall(b"x"),
)


@pytest.fixture
def ends(certificates):
    client, server = peers.connected(certificates)
    yield client, server
    client.close()
    server.close()


@pytest.mark.parametrize("name", NAMES)
def test_they_are_in_the_class_and_not_in_python(name):
    method = vars(tls.SSLSocket)[name]
    assert type(method) is type(vars(bytes)["split"])
    assert method.__name__ == name
    assert "Like socket.%s(), through TLS" % name in method.__doc__


def test_arguments_by_position_by_name_and_left_out(ends):
    client, server = ends
    data = b"0123456789" * 200
    assert client.sendall(data=data, flags=0) is None
    assert server.recv() == data[:1024]
    assert server.recv(buflen=6) == data[1024:1030]
    target = bytearray(20)
    assert server.recv_into(target) == 20
    assert server.recv_into(buffer=target, nbytes=5) == 5
    assert server.recv_into(target, None) == 20
    assert server.recv_into(target, 0, 0) == 20
    assert server.recv_into(target, 100) == 20
    assert server.recv_into(target, -1) == 20
    assert server.recv(0) == b""
    assert client.send(data=b"abc") == 3
    assert client.send(b"de", 0) == 2
    assert client.sendall(b"") is None
    assert client.send(b"") == 0


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anything_bytes_like_is_sent_whole(ends, kind):
    client, server = ends
    data = b"x" * 40000
    target = bytearray(len(data))

    def receive():
        count = 0
        while count < len(target):
            count += server.recv_into(memoryview(target)[count:])

    thread = threading.Thread(target=receive)
    thread.start()
    assert client.sendall(kind(data)) is None
    thread.join(peers.LIMIT)
    assert bytes(target) == data


@pytest.mark.parametrize(
    "call",
    [
        lambda end: end.recv(1, 0, 3),
        lambda end: end.recv(size=1),
        lambda end: end.recv("1"),
        lambda end: end.recv_into(),
        lambda end: end.recv_into(b"read-only"),
        lambda end: end.recv_into(bytearray(2), "1"),
        lambda end: end.recv_into(bytearray(2), 1, 0, 0),
        lambda end: end.send(),
        lambda end: end.send(b"a", 0, 0),
        lambda end: end.send(u"text"),
        lambda end: end.sendall(),
        lambda end: end.sendall(u"text"),
        lambda end: end.sendall(text=b"a"),
        lambda end: tls.SSLSocket.recv(None),
        lambda end: tls.SSLSocket.recv(socket.socket()),
    ],
)
def test_other_arguments_are_type_errors(ends, call):
    with pytest.raises((TypeError, BufferError)):
        call(ends[0])


def test_lengths_that_cannot_be(ends):
    with pytest.raises(ValueError):
        ends[0].recv(-1)
    for call in (lambda: ends[0].recv(1 << 70), lambda: ends[0].recv_into(bytearray(1), 1 << 70)):
        with pytest.raises(OverflowError):
            call()


@pytest.mark.parametrize("suppressed", [True, False])
def test_an_end_without_close_notify(certificates, suppressed):
    reads = [lambda end: end.recv(10), lambda end: end.recv_into(bytearray(9)), lambda end: end.read(5)]
    for call, nothing in zip(reads, [b"", 0, b""]):
        client, server = peers.connected(certificates, suppress_ragged_eofs=suppressed)
        server.close()
        if suppressed:
            assert call(client) == nothing
        else:
            with pytest.raises(tls.SSLEOFError):
                call(client)
        client.close()


def test_what_suppress_ragged_eofs_itself_raises_is_raised(certificates):
    client, server = peers.connected(certificates)
    server.close()
    del client.suppress_ragged_eofs
    with pytest.raises(AttributeError, match="suppress_ragged_eofs"):
        client.recv(10)
    client.close()


def test_other_errors_are_not_taken_for_an_end(ends):
    ends[0].settimeout(0)
    for call in (lambda: ends[0].recv(10), lambda: ends[0].recv_into(bytearray(9))):
        with pytest.raises(tls.SSLWantReadError):
            call()


def test_sending_on_a_socket_that_is_not_ready(ends):
    """send() tells 0 on 2.7, for asyncore, and raises on 3; sendall() raises."""
    client = ends[0]
    client.settimeout(0)
    block = b"x" * 16384

    def fill():
        while client.send(block):
            pass

    if sys.version_info[0] == 2:
        fill()
    else:
        with pytest.raises(tls.SSLWantWriteError):
            fill()
    with pytest.raises(tls.SSLWantWriteError):
        client.sendall(block)


def test_without_tls_they_are_the_sockets(ends):
    client, server = ends
    thread = threading.Thread(target=server.unwrap)
    thread.start()
    plain = client.unwrap()
    thread.join(peers.LIMIT)
    assert plain is client
    client.sendall(b"plain text")
    assert server.recv(5) == b"plain"
    target = bytearray(9)
    assert server.recv_into(target) == 5
    assert bytes(target[:5]) == b" text"
    assert client.send(b"x") == 1


@pytest.mark.parametrize("strange", [7, "text", object(), socket.socket, _core.MemoryBIO])
def test_something_else_in_the_place_of_the_connection_is_not_taken_for_one(certificates, strange):
    client, server = peers.connected(certificates)
    client._sslobj = strange
    for call in CALLS:
        with pytest.raises((AttributeError, TypeError)):
            call(client)
    client._sslobj = None
    client.close()
    server.close()


def test_before_there_is_a_connection():
    bare = tls.SSLSocket.__new__(tls.SSLSocket)
    for call in CALLS:
        with pytest.raises(AttributeError):
            call(bare)


def test_an_instance_that_becomes_a_subclass_later(ends):
    class Watching(tls.SSLSocket):
        def send(self, data, flags=0):
            return super(Watching, self).send(data.upper(), flags)

        def write(self, data):  # 2.7's sendall() calls this
            return super(Watching, self).write(data.upper())

    client, server = ends
    client.__class__ = Watching
    client.sendall(b"shout")
    assert server.recv(10) == b"SHOUT"


def test_a_bound_method_keeps_the_socket(certificates):
    client, server = peers.connected(certificates)
    send = client.sendall
    del client
    gc.collect()
    send(b"kept")
    assert server.recv(10) == b"kept"
    send = None
    server.close()


def test_a_cycle_through_it_is_collected(certificates):
    client, server = peers.connected(certificates)
    client.itself = client
    gone = weakref.ref(client)
    server.close()
    client.close()
    client = None
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(sys.version_info < (3, 4), reason="2.7's inspect knows no signatures of functions written in C")
def test_signatures_are_those_of_ssl():
    ssl = pytest.importorskip("ssl", reason="this Python has no ssl to compare with")

    def parameters(method):
        return [(each.name, each.default, each.kind) for each in inspect.signature(method).parameters.values()][1:]

    for name in NAMES:
        assert parameters(getattr(tls.SSLSocket, name)) == parameters(getattr(ssl.SSLSocket, name))


def test_without_the_slot_the_general_methods_are_called(certificates):
    """As add_socket_methods() says False on a Python where the slot is not found."""
    output = check_python(
        "import os, socket, sys, threading\n"
        "import _tls_bootstrap as tls\n"
        "tls._core.add_socket_methods = lambda cls: False\n"
        "print([getattr(tls.SSLSocket, name).__name__ for name in ('recv', 'recv_into', 'send', 'sendall')])\n"
        "one, other = socket.socketpair()\n"
        "if sys.version_info[0] == 2: one, other = socket.socket(_sock=one), socket.socket(_sock=other)\n"
        "serving = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)\n"
        "serving.load_cert_chain(%r, %r)\n"
        "trusting = tls.create_default_context(cafile=%r)\n"
        "accepted = []\n"
        "thread = threading.Thread(target=lambda: accepted.append(serving.wrap_socket(other, server_side=True)))\n"
        "thread.start()\n"
        "client = trusting.wrap_socket(one, server_hostname='localhost')\n"
        "thread.join()\n"
        "client.sendall(b'abc'), client.send(b'defg')\n"
        "target = bytearray(9)\n"
        "print([accepted[0].recv(3).decode(), accepted[0].recv_into(target)])\n"
        % (certificates.localhost.certificate, certificates.localhost.key, certificates.authority.certificate)
    )
    names, received = output.splitlines()
    assert names == str(["_general_" + name for name in NAMES])
    assert received in ("['abc', 4]", "[u'abc', 4]")


class WithoutSlot(socket.socket):
    pass


class WithTwoSlots(socket.socket):
    __slots__ = ("_another", "_sslobj")


def test_a_class_whose_slot_is_not_where_it_has_to_be_stays_as_it_is():
    """The layout is tried before it is trusted."""
    for kind in (WithoutSlot, WithTwoSlots):
        before = dict(vars(kind))
        assert _core.add_socket_methods(kind) is False
        assert dict(vars(kind)) == before
    with pytest.raises(TypeError):
        _core.add_socket_methods(7)
