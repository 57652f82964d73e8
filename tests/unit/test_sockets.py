# SPDX-License-Identifier: Apache-2.0
"""SSLSocket over loopback: client and server in threads, blocking, with time limits, and with select."""

import os
import select
import socket
import sys

import pytest

import _tls_bootstrap as tls
from children import check_python
from peers import LIMIT, Server, client_context, echo, hang_up, read_all, server_context


def connect(server, context, **keywords):
    keywords.setdefault("server_hostname", "localhost")
    return context.wrap_socket(server.connect(), **keywords)


def test_echo(certificates, version):
    data = os.urandom(100000)
    with Server(echo, server_context(certificates.localhost, version)) as server:
        client = connect(server, client_context(certificates, version))
        assert isinstance(client, socket.socket)
        assert client.version() == ("TLSv1.2" if version == tls.TLSVersion.TLSv1_2 else "TLSv1.3")
        client.sendall(data)
        received = b""
        while len(received) < len(data):
            received += client.recv(65536)
        hang_up(client)
    assert received == data
    assert server.results == [len(data)]


def test_rsa_certificate(certificates, version):
    with Server(echo, server_context(certificates.localhost_rsa, version)) as server:
        client = connect(server, client_context(certificates, version))
        client.sendall(b"rsa")
        assert client.recv(10) == b"rsa"
        hang_up(client)


def test_recv_into(certificates, version):
    with Server(echo, server_context(certificates.localhost, version)) as server:
        client = connect(server, client_context(certificates, version))
        client.sendall(b"0123456789")
        buffer = bytearray(20)
        count = 0
        while count < 10:
            count += client.recv_into(memoryview(buffer)[count:])
        assert buffer[:count] == b"0123456789"
        hang_up(client)


def test_a_subclass_sees_what_the_data_methods_do(certificates):
    seen = []

    class Watching(tls.SSLSocket):
        def _checkClosed(self, msg=None):
            seen.append("check")

        def read(self, len=1024, buffer=None):
            seen.append("read")
            return super(Watching, self).read(len, buffer)

        def write(self, data):
            seen.append("write")
            return super(Watching, self).write(data)

        def send(self, data, flags=0):
            seen.append("send")
            return super(Watching, self).send(data, flags)

    context = client_context(certificates)
    context.sslsocket_class = Watching
    with Server(echo, server_context(certificates.localhost)) as server:
        client = connect(server, context)
        for call, expected in (
            (lambda: client.sendall(b"12345678"), ("write" if sys.version_info[0] == 2 else "send")),
            (lambda: client.recv(2), "read"),
            (lambda: client.recv_into(bytearray(2)), "read"),
        ):
            del seen[:]
            call()
            assert expected in seen and "check" in seen
        hang_up(client)


@pytest.mark.parametrize("nbytes", [None, 0, 3, 100])
def test_recv_into_takes_no_more_than_asked_and_than_fits(certificates, nbytes):
    with Server(echo, server_context(certificates.localhost)) as server:
        client = connect(server, client_context(certificates))
        client.sendall(b"0123456789")
        buffer = bytearray(6)
        assert client.recv_into(buffer, nbytes) == (3 if nbytes == 3 else 6)
        assert client.recv_into(bytearray(), nbytes) == 0
        hang_up(client)


def test_send_and_receive_flags_are_refused(certificates):
    with Server(echo, server_context(certificates.localhost)) as server:
        client = connect(server, client_context(certificates))
        with pytest.raises(ValueError):
            client.recv(1, socket.MSG_PEEK)
        with pytest.raises(ValueError):
            client.send(b"x", socket.MSG_OOB)
        with pytest.raises(ValueError):
            client.sendall(b"x", socket.MSG_OOB)
        with pytest.raises(ValueError):
            client.recv_into(bytearray(1), 1, socket.MSG_PEEK)
        hang_up(client)


def test_handshake_later(certificates, version):
    with Server(echo, server_context(certificates.localhost, version)) as server:
        client = connect(
            server, client_context(certificates, version), do_handshake_on_connect=False
        )
        assert client.cipher() is None
        client.do_handshake()
        assert client.getpeercert()["subjectAltName"][0] == ("DNS", "localhost")
        hang_up(client)


def test_wrap_before_connecting(certificates, version):
    with Server(echo, server_context(certificates.localhost, version)) as server:
        client = client_context(certificates, version).wrap_socket(
            socket.socket(), server_hostname="localhost"
        )
        client.settimeout(LIMIT)
        client.connect(server.address)
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        hang_up(client)


def test_accept_on_a_tls_listener(certificates, version):
    listener = server_context(certificates.localhost, version).wrap_socket(
        socket.socket(), server_side=True
    )
    listener.settimeout(LIMIT)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)

    def client_side(_):
        client = client_context(certificates, version).wrap_socket(
            socket.create_connection(listener.getsockname(), LIMIT), server_hostname="localhost"
        )
        client.sendall(b"from the client")
        hang_up(client)

    with Server(client_side) as thread:
        trigger = thread.connect()
        connection, address = listener.accept()
        connection.settimeout(LIMIT)
        assert address[0] == "127.0.0.1"
        assert read_all(connection) == b"from the client"
        connection.close()
        trigger.close()
    listener.close()


def test_makefile(certificates, version):
    def serve_lines(connection):
        stream = connection.makefile("rb")
        line = stream.readline()
        stream.close()
        answer = connection.makefile("wb")
        answer.write(line.upper())
        answer.close()

    with Server(serve_lines, server_context(certificates.localhost, version)) as server:
        client = connect(server, client_context(certificates, version))
        client.sendall(b"one line\nrest")
        stream = client.makefile("rb")
        assert stream.readline() == b"ONE LINE\n"
        stream.close()
        hang_up(client)


def test_unwrap_gives_the_plain_socket_back(certificates, version):
    def plain_after_tls(connection):
        assert connection.recv(3) == b"tls"
        plain = connection.unwrap()
        plain.sendall(b"plain")
        return plain.recv(100)

    with Server(plain_after_tls, server_context(certificates.localhost, version)) as server:
        client = connect(server, client_context(certificates, version))
        client.sendall(b"tls")
        plain = client.unwrap()
        assert not isinstance(plain, tls.SSLSocket) or plain._sslobj is None
        assert plain.recv(100) == b"plain"
        plain.sendall(b"bye")
        plain.close()
    assert server.results == [b"bye"]


def test_close_notify_of_the_server_is_an_end_of_file(certificates, version):
    def say_goodbye(connection):
        connection.unwrap().close()

    context = server_context(certificates.localhost, version)
    with Server(say_goodbye, context) as server:
        client = connect(server, client_context(certificates, version), suppress_ragged_eofs=False)
        assert client.recv(10) == b""
        client.unwrap()
        hang_up(client)


def test_read_times_out(certificates, version):
    def wait_for_the_client(connection):
        return connection.recv(10)

    with Server(wait_for_the_client, server_context(certificates.localhost, version)) as server:
        client = connect(server, client_context(certificates, version))
        client.settimeout(0.05)
        with pytest.raises(socket.timeout) as caught:
            client.recv(1)
        assert "read operation timed out" in str(caught.value)
        client.settimeout(LIMIT)
        client.sendall(b"done")
        hang_up(client)
    assert server.results == [b"done"]


def test_handshake_times_out(certificates):
    with Server(read_all) as server:
        connection = server.connect()
        connection.settimeout(0.05)
        with pytest.raises(socket.timeout) as caught:
            client_context(certificates).wrap_socket(connection, server_hostname="localhost")
        assert "handshake operation timed out" in str(caught.value)
        connection.close()


def test_write_times_out(certificates, version):
    def wait_without_reading(connection):
        select.select([], [], [], 0)
        return release.recv(1)

    release, held = socket.socketpair()
    with Server(wait_without_reading, server_context(certificates.localhost, version)) as server:
        client = connect(server, client_context(certificates, version))
        client.settimeout(0.1)
        with pytest.raises(socket.timeout) as caught:
            while True:
                client.send(b"x" * 100000)
        assert "write operation timed out" in str(caught.value)
        held.sendall(b"!")
        client.close()
    release.close()
    held.close()


def test_non_blocking_with_select(certificates, version):
    def until(operation, sock):
        while True:
            try:
                return operation()
            except tls.SSLWantReadError:
                ready = select.select([sock], [], [], LIMIT)
            except tls.SSLWantWriteError:
                ready = select.select([], [sock], [], LIMIT)
            assert any(ready), "select timed out"

    data = os.urandom(500000)
    with Server(echo, server_context(certificates.localhost, version)) as server:
        connection = server.connect()
        connection.setblocking(False)
        client = client_context(certificates, version).wrap_socket(
            connection, server_hostname="localhost", do_handshake_on_connect=False
        )
        until(client.do_handshake, client)
        with pytest.raises(tls.SSLWantReadError):
            client.recv(1)
        received = b""
        for start in range(0, len(data), 50000):
            part = data[start : start + 50000]
            while part:
                part = part[until(lambda: client.send(part), client) :]
            while len(received) < min(start + 50000, len(data)):
                received += until(lambda: client.recv(65536), client)
        assert received == data
        hang_up(client)


def test_closing_shuts_the_descriptor(certificates):
    with Server(echo, server_context(certificates.localhost)) as server:
        client = connect(server, client_context(certificates))
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        descriptor = client.fileno()
        client.close()
        with pytest.raises(OSError):
            os.fstat(descriptor)
        with pytest.raises((EnvironmentError, ValueError)):
            client.send(b"too late")


def test_the_peers_addresses_are_the_sockets(certificates):
    with Server(lambda c: c.getpeername(), server_context(certificates.localhost)) as server:
        client = connect(server, client_context(certificates))
        assert client.getpeername() == server.address
        mine = client.getsockname()
        hang_up(client)
    assert server.results == [mine]


def test_many_clients_of_one_context(certificates, version):
    client = client_context(certificates, version)
    with Server(echo, server_context(certificates.localhost, version), connections=20) as server:
        for number in range(20):
            connection = connect(server, client)
            message = ("number %d" % number).encode("ascii")
            connection.sendall(message)
            assert connection.recv(100) == message
            hang_up(connection)


def test_get_server_certificate(certificates):
    # The function closes without reading the tickets, which may reset the server's connection.
    with Server(echo, server_context(certificates.localhost), may_fail=True) as server:
        text = tls.get_server_certificate(
            server.address, ca_certs=certificates.authority.certificate
        )
    with open(certificates.localhost.certificate) as stream:
        assert tls.PEM_cert_to_DER_cert(text) == tls.PEM_cert_to_DER_cert(stream.read())


def test_wrap_socket_function(certificates):
    # Gone from Python 3.12's ssl; here it stays, as in 3.6.
    with Server(echo, server_context(certificates.localhost)) as server:
        client = tls.wrap_socket(
            server.connect(), cert_reqs=tls.CERT_REQUIRED, ca_certs=certificates.authority.certificate
        )
        client.sendall(b"old style")
        assert client.recv(20) == b"old style"
        hang_up(client)


def test_a_check_of_the_host_name_needs_a_host_name(certificates):
    with pytest.raises(ValueError) as caught:
        client_context(certificates).wrap_socket(socket.socket())
    assert "server_hostname" in str(caught.value)


def test_datagram_sockets_are_refused(certificates):
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        with pytest.raises(NotImplementedError):
            client_context(certificates).wrap_socket(datagram, server_hostname="localhost")
    finally:
        datagram.close()


_WRITE_TO_A_CLOSED_CONNECTION = """
import signal, socket, sys
import _tls_bootstrap as tls
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
context = tls.create_default_context(cafile=sys.argv[1])
connection = socket.create_connection(("127.0.0.1", int(sys.argv[2])), 30)
connection = context.wrap_socket(connection, server_hostname="localhost")
connection.recv(1)
try:
    while True:
        connection.send(b"x" * 16384)
except EnvironmentError as error:
    print("refused")
"""


def test_writing_to_a_closed_connection_raises_no_sigpipe(certificates):
    # Python ignores the signal, a program that embeds or resets it may not: writes must ask for none.
    with Server(lambda connection: None, server_context(certificates.localhost)) as server:
        output = check_python(
            _WRITE_TO_A_CLOSED_CONNECTION,
            [certificates.authority.certificate, str(server.address[1])],
        )
    assert output == "refused"
