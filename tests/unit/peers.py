# SPDX-License-Identifier: Apache-2.0
"""Two ends of a TLS connection for tests: in memory, or over loopback sockets with a thread."""

import socket
import sys
import threading

import _tls_bootstrap as tls

#: Seconds after which a blocked test gives up. Nothing waits this long unless it is broken.
LIMIT = 30.0


def client_context(certificates, version=None):
    """A verifying client context that trusts the test authority, limited to one TLSVersion if given."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.authority.certificate)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def server_context(identity, version=None):
    """A server context with an `authority.Identity`, limited to one TLSVersion if given."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


class MemoryPair(object):
    """A client and a server SSLObject that share two MemoryBIOs."""

    def __init__(self, client, server, server_hostname="localhost", session=None):
        self.to_server = tls.MemoryBIO()
        self.to_client = tls.MemoryBIO()
        self.client = client.wrap_bio(
            self.to_client, self.to_server, server_hostname=server_hostname, session=session
        )
        self.server = server.wrap_bio(self.to_server, self.to_client, server_side=True)

    def handshake(self):
        """Completes the handshake on both ends, tickets included; raises what an end raises."""
        waiting = [self.client, self.server]
        while waiting:
            progress = (self.to_server.pending, self.to_client.pending)
            for end in list(waiting):
                try:
                    end.do_handshake()
                except tls.SSLWantReadError:
                    continue
                waiting.remove(end)
            if len(waiting) == 2 and progress == (self.to_server.pending, self.to_client.pending):
                raise AssertionError("handshake stands still")
        self.settle(self.client)
        self.settle(self.server)
        return self

    def settle(self, end):
        """Lets `end` process messages that carry no data, such as session tickets."""
        try:
            end.read(1)
        except tls.SSLWantReadError:
            return
        raise AssertionError("unexpected application data")

    def send(self, sender, receiver, data):
        """What `receiver` reads after `sender` wrote `data`."""
        written = 0
        received = b""
        while written < len(data):
            written += sender.write(data[written:])
            while receiver_has_record(self, receiver):
                try:
                    received += receiver.read(65536)
                except tls.SSLWantReadError:
                    break
        return received


def receiver_has_record(pair, receiver):
    """Whether bytes wait for `receiver`."""
    queue = pair.to_client if receiver is pair.client else pair.to_server
    return bool(queue.pending or receiver.pending())


def socket_pair():
    """Two connected sockets, which 2.7's `ssl` and ours can wrap too."""
    one, other = socket.socketpair()
    if sys.version_info[0] == 2:
        one, other = socket.socket(_sock=one), socket.socket(_sock=other)
    return one, other


def connected(certificates, version=None, **keywords):
    """(client, server): SSLSockets over a socket pair, limited to one TLSVersion if given; the keywords are the client's."""
    one, other = socket_pair()
    accepted = []
    serving = server_context(certificates.localhost, version)
    thread = threading.Thread(target=lambda: accepted.append(serving.wrap_socket(other, server_side=True)))
    thread.start()
    client = client_context(certificates, version).wrap_socket(one, server_hostname="localhost", **keywords)
    thread.join(LIMIT)
    for each in (client, accepted[0]):
        each.settimeout(LIMIT)
    return client, accepted[0]


class Server(object):
    """A context manager: a thread that accepts connections on loopback and gives each to `handler`.

    With `context` the handler gets a TLS socket after its handshake, without it the bare socket.
    Exceptions of the thread fail the test on leaving the block unless `may_fail`; they are kept in
    `errors`, what the handler returned in `results`.
    """

    def __init__(self, handler, context=None, connections=1, may_fail=False):
        self.handler = handler
        self.context = context
        self.connections = connections
        self.may_fail = may_fail
        self.errors = []
        self.results = []
        self._listener = socket.socket()
        self._listener.settimeout(LIMIT)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(5)
        self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._run)
        self._thread.daemon = True

    def _run(self):
        try:
            for _ in range(self.connections):
                self._serve_one()
        except Exception as error:  # handed to the test in __exit__
            self.errors.append(error)

    def _serve_one(self):
        connection = self._listener.accept()[0]
        connection.settimeout(LIMIT)
        try:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            self.results.append(self.handler(connection))
        except Exception as error:
            if not self.may_fail:
                raise
            self.errors.append(error)
        finally:
            connection.close()

    def connect(self):
        """A TCP connection to the server, with a time limit."""
        return socket.create_connection(self.address, LIMIT)

    def join(self):
        """Waits for the thread."""
        self._thread.join(LIMIT)
        if self._thread.is_alive():
            raise AssertionError("the test's server did not end")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, value, traceback):
        if kind is not None:
            # The test failed already; closing the listener ends a thread that waits in accept.
            self._listener.close()
            self._thread.join(1)
            return
        self.join()
        self._listener.close()
        if self.errors and not self.may_fail:
            raise self.errors[0]


def read_all(connection):
    """Everything until the other end closes."""
    parts = []
    while True:
        part = connection.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def hang_up(connection):
    """Ends a TLS connection in order: the other end sees an end of file, never a reset.

    Closing a socket that still holds unread bytes (TLS 1.3 tickets, mostly) resets the connection.
    """
    connection.settimeout(LIMIT)
    connection.shutdown(socket.SHUT_WR)
    read_all(connection)
    connection.close()


def echo(connection):
    """A handler that sends everything back; returns the number of bytes."""
    count = 0
    while True:
        data = connection.recv(65536)
        if not data:
            return count
        connection.sendall(data)
        count += len(data)
