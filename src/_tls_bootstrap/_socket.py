# SPDX-License-Identifier: Apache-2.0
"""TLS over a socket (ssl documentation: "SSL Sockets"): SSLSocket and the functions that make one."""

import errno
import socket as _stdlib
from socket import AF_INET, SO_TYPE, SOCK_STREAM, SOL_SOCKET

from . import _core, _late, _plain_socket
from ._compat import PY2, buffer_size, encode_hostname
from ._connection import channel_binding, der_chain, exported_keying_material
from ._constants import CERT_NONE, CERT_REQUIRED, PROTOCOL_TLS
from ._context import SSLContext, _create_stdlib_context
from ._errors import SSLError, SSLWantReadError, SSLWantWriteError, socket_error

__all__ = ["SSLSocket", "get_server_certificate", "sslwrap_simple", "wrap_socket"]


class SSLSocket(_plain_socket.socket):
    """A socket whose data travel through TLS; made by SSLContext.wrap_socket().

    It has the methods of socket.socket.  Before a connection is made, after shutdown() and after
    unwrap(), they do what they do there.
    """

    __module__ = "_tls_bootstrap"
    __slots__ = ("_sslobj",)  # the connection of the C half, while data go through it

    def __init__(
        self,
        sock=None,
        keyfile=None,
        certfile=None,
        server_side=False,
        cert_reqs=CERT_NONE,
        ssl_version=PROTOCOL_TLS,
        ca_certs=None,
        do_handshake_on_connect=True,
        family=AF_INET,
        type=SOCK_STREAM,
        proto=0,
        fileno=None,
        suppress_ragged_eofs=True,
        npn_protocols=None,
        ciphers=None,
        server_hostname=None,
        _context=None,
        _session=None,
    ):
        """The constructor of Python 3.6; programs call SSLContext.wrap_socket() instead."""
        if _context is None:
            _context = _context_of_arguments(
                server_side, keyfile, certfile, cert_reqs, ssl_version, ca_certs, npn_protocols, ciphers
            )
            self.keyfile = keyfile or certfile
            self.certfile = certfile
            self.cert_reqs = cert_reqs
            self.ssl_version = ssl_version
            self.ca_certs = ca_certs
            self.ciphers = ciphers

        def take_over():
            if sock is not None:
                self._adopt(sock)
            elif fileno is not None:
                _plain_socket.socket.__init__(self, family, type, proto, fileno)
            else:
                _plain_socket.socket.__init__(self, family, type, proto)

        self._start(
            sock,
            take_over,
            server_side,
            do_handshake_on_connect,
            suppress_ragged_eofs,
            server_hostname,
            _context,
            _session,
        )

    @classmethod
    def _create(
        cls,
        sock,
        server_side=False,
        do_handshake_on_connect=True,
        suppress_ragged_eofs=True,
        server_hostname=None,
        context=None,
        session=None,
    ):
        self = cls.__new__(cls)
        self._start(
            sock,
            lambda: self._adopt(sock),
            server_side,
            do_handshake_on_connect,
            suppress_ragged_eofs,
            server_hostname,
            context,
            session,
        )
        return self

    def _start(
        self,
        sock,
        take_over,
        server_side,
        do_handshake_on_connect,
        suppress_ragged_eofs,
        server_hostname,
        context,
        session,
    ):
        """Checks the arguments, takes the socket over and, where it is connected, starts TLS."""
        if sock is not None and sock.getsockopt(SOL_SOCKET, SO_TYPE) != SOCK_STREAM:
            raise NotImplementedError("only stream sockets are supported")
        if server_side:
            if server_hostname:
                raise ValueError("server_hostname can only be specified in client mode")
            if session is not None:
                raise ValueError("session can only be specified in client mode")
        elif context.check_hostname and not server_hostname:
            raise ValueError("check_hostname requires server_hostname")
        self._context = context
        self._session = session
        self._sslobj = None
        self._former = None  # the same after shutdown(), when another thread may still be in it
        self._connected = False
        self._makefile_refs = 0  # 2.7 only
        self.server_side = server_side
        self.server_hostname = None
        self.do_handshake_on_connect = do_handshake_on_connect
        self.suppress_ragged_eofs = suppress_ragged_eofs
        take_over()
        try:  # from here on the descriptor is this object's to close
            self.server_hostname = encode_hostname(server_hostname)
            self._connected = self._has_peer()
            if self._connected:
                self._start_tls(context, server_side)
                if do_handshake_on_connect:
                    if self.gettimeout() == 0.0:
                        raise ValueError("do_handshake_on_connect should not be specified for non-blocking sockets")
                    self.do_handshake()
        except BaseException:
            self.close()
            raise

    def _start_tls(self, context, server_side):
        self._sslobj = context._wrap_socket(
            self,
            server_side,
            server_hostname=self.server_hostname,
            owner=self,
            session=self._session,
        )

    def _has_peer(self):
        """Whether the socket is connected.

        Data that a peer sent before it closed the connection again must not reach the program as if
        they had come through TLS (CVE-2023-40217): SSLError.
        """
        try:
            self.getpeername()
            return True
        except socket_error as error:
            if error.errno == errno.EINVAL:
                return False  # a Unix socket that was shut down has lost its peer's name
            if error.errno != errno.ENOTCONN:
                raise
        timeout = self.gettimeout()
        self.settimeout(0)
        try:
            early = self._plain.recv(1)
        except socket_error as error:
            if error.errno not in (errno.ENOTCONN, errno.EINVAL, errno.EAGAIN):
                raise
            early = b""
        finally:
            self.settimeout(timeout)
        if early:
            failure = SSLError(_core.SSL_ERROR_SSL, "Closed before TLS handshake with data in recv buffer.")
            failure.reason = failure.strerror
            raise failure
        return False

    # ---- what the connection is

    @property
    def context(self):
        """The SSLContext in use; a server may assign another one in its server name callback."""
        return self._context

    @context.setter
    def context(self, context):
        self._context = context
        if self._sslobj is not None:
            self._sslobj.context = context

    @property
    def session(self):
        """The SSLSession of a client's connection, or None; may be assigned before the handshake."""
        if self._sslobj is not None:
            return self._sslobj.session
        return None

    @session.setter
    def session(self, session):
        self._session = session
        if self._sslobj is not None:
            self._sslobj.session = session

    @property
    def session_reused(self):
        """Whether the session was resumed; None without connection."""
        if self._sslobj is not None:
            return self._sslobj.session_reused
        return None

    def _checkClosed(self, msg=None):
        """A hook for subclasses, called before each operation."""

    def _check_connected(self):
        if not self._connected:
            # ENOTCONN if it is true; a connect() that was once interrupted may have succeeded since.
            self.getpeername()

    def getpeercert(self, binary_form=False):
        """The peer's certificate.

        Returns DER bytes if binary_form is true, else a dictionary, which is empty if the certificate
        was not verified; None without certificate.  Raises ValueError before the handshake is done.
        """
        self._checkClosed()
        self._check_connected()
        return self._connection("getpeercert").getpeercert(binary_form)

    def get_verified_chain(self):
        """The chain up to the trust anchor, as DER bytes, leaf first (added in 3.13)."""
        return der_chain(self._connection("get_verified_chain").get_verified_chain())

    def get_unverified_chain(self):
        """The chain as the peer sent it, as DER bytes (added in 3.13)."""
        return der_chain(self._connection("get_unverified_chain").get_unverified_chain())

    def selected_npn_protocol(self):
        """None: Next Protocol Negotiation is not supported."""
        self._checkClosed()
        return None

    def selected_alpn_protocol(self):
        """The protocol agreed upon by ALPN (RFC 7301) as str, or None."""
        return self._ask("selected_alpn_protocol")

    def cipher(self):
        """(name, protocol, secret bits) of the cipher suite in use, or None."""
        return self._ask("cipher")

    def shared_ciphers(self):
        """The cipher suites the client offers and this side knows, as a list like cipher()'s; None before the handshake."""
        return self._ask("shared_ciphers")

    def group(self):
        """The name of the group of the key exchange, or None (added in 3.15)."""
        return self._ask("group")

    def client_sigalg(self):
        """The signature algorithm the client authenticated with, or None (added in 3.15)."""
        return self._ask("client_sigalg")

    def server_sigalg(self):
        """The signature algorithm the server authenticated with, or None (added in 3.15)."""
        return self._ask("server_sigalg")

    def compression(self):
        """The name of the compression in use, or None."""
        return self._ask("compression")

    def version(self):
        """The protocol as str, such as "TLSv1.3", or None before it is agreed upon."""
        return self._ask("version")

    def _ask(self, question):
        """The connection's answer; None without connection."""
        self._checkClosed()
        if self._sslobj is None:
            return None
        return getattr(self._sslobj, question)()

    def _connection(self, operation):
        """The connection of the C half, or ValueError that names the operation."""
        if self._sslobj is None:
            raise ValueError("%s: no SSL wrapper around %s" % (operation, self))
        return self._sslobj

    def get_channel_binding(self, cb_type="tls-unique"):
        """The channel binding data as bytes, or None if there is none yet.

        cb_type: "tls-unique" (RFC 5929) or "tls-exporter" (RFC 9266); ValueError for other types.
        """
        return channel_binding(self._sslobj, cb_type)

    def export_keying_material(self, label, length, context=None):
        """Keying material both ends can compute (RFC 5705; RFC 8446 section 7.5); an addition.

        label: str or bytes; length: in bytes; context: bytes-like or None, which is not the same as
        empty in TLS 1.2.  Returns bytes.  Raises SSLError before the handshake is done, ValueError
        without connection.
        """
        return exported_keying_material(self._connection("export_keying_material"), label, length, context)

    # ---- data: recv(), recv_into(), send() and sendall() are in the C half, which calls _general_* for what is not ordinary

    def read(self, len=1024, buffer=None):
        """Returns up to len bytes, or reads them into buffer and returns their number; 0 at the end."""
        self._checkClosed()
        connection = self._sslobj
        if connection is None:
            raise ValueError("Read on closed or unwrapped SSL socket.")
        try:
            return connection.read(len, buffer)
        except SSLError as error:
            if error.args[0] == _core.SSL_ERROR_EOF and self.suppress_ragged_eofs:
                return b"" if buffer is None else 0
            raise

    def write(self, data):
        """Writes bytes-like data; returns how many of its bytes were taken."""
        self._checkClosed()
        if self._sslobj is None:
            raise ValueError("Write on closed or unwrapped SSL socket.")
        return self._sslobj.write(data)

    def _general_send(self, data, flags=0):
        self._checkClosed()
        if self._sslobj is None:
            return self._plain.send(data, flags)
        if flags:
            self._refuse_flags("send")
        if not PY2:
            return self._sslobj.write(data)
        try:
            return self._sslobj.write(data)
        except (SSLWantReadError, SSLWantWriteError):
            return 0  # until Python 3.5, and 2.7's asyncore counts on it; write() raises

    def sendto(self, data, flags_or_addr, addr=None):
        """Like socket.sendto(); ValueError while TLS is in use."""
        self._checkClosed()
        if self._sslobj is not None:
            raise ValueError("sendto not allowed on instances of %s" % self.__class__)
        if addr is None:
            return self._plain.sendto(data, flags_or_addr)
        return self._plain.sendto(data, flags_or_addr, addr)

    def sendmsg(self, *args, **kwargs):
        """Raises NotImplementedError, with TLS or without it."""
        raise NotImplementedError("sendmsg not allowed on instances of %s" % self.__class__)

    def _general_sendall(self, data, flags=0):
        self._checkClosed()
        if self._sslobj is None:
            return self._plain.sendall(data, flags)
        if flags:
            self._refuse_flags("sendall")
        amount = buffer_size(data)
        send = self.write if PY2 else self.send  # 2.7's send() may return 0 for ever
        sent = send(data) if amount else 0
        if sent < amount:
            view = _byte_view(data)
            while sent < amount:
                sent += send(view[sent:])
        return None

    def sendfile(self, file, offset=0, count=None):
        """Like socket.sendfile() of Python 3.5, through TLS; returns the number of bytes sent."""
        if self._sslobj is None:
            return _plain_socket.plain_sendfile(self, file, offset, count)
        return _plain_socket.tls_sendfile(self, file, offset, count)

    def _general_recv(self, buflen=1024, flags=0):
        self._checkClosed()
        if self._sslobj is None:
            return self._plain.recv(buflen, flags)
        if flags:
            self._refuse_flags("recv")
        return self.read(buflen)

    def _general_recv_into(self, buffer, nbytes=None, flags=0):
        self._checkClosed()
        if nbytes is None:
            nbytes = (buffer_size(buffer) if buffer is not None else 0) or 1024
        if self._sslobj is None:
            return self._plain.recv_into(buffer, nbytes, flags)
        if flags:
            self._refuse_flags("recv_into")
        return self.read(nbytes, buffer)

    def recvfrom(self, buflen=1024, flags=0):
        """Like socket.recvfrom(); ValueError while TLS is in use."""
        self._checkClosed()
        if self._sslobj is not None:
            raise ValueError("recvfrom not allowed on instances of %s" % self.__class__)
        return self._plain.recvfrom(buflen, flags)

    def recvfrom_into(self, buffer, nbytes=None, flags=0):
        """Like socket.recvfrom_into(); ValueError while TLS is in use."""
        self._checkClosed()
        if self._sslobj is not None:
            raise ValueError("recvfrom_into not allowed on instances of %s" % self.__class__)
        return self._plain.recvfrom_into(buffer, nbytes or 0, flags)

    def recvmsg(self, *args, **kwargs):
        """Raises NotImplementedError, with TLS or without it."""
        raise NotImplementedError("recvmsg not allowed on instances of %s" % self.__class__)

    def recvmsg_into(self, *args, **kwargs):
        """Raises NotImplementedError, with TLS or without it."""
        raise NotImplementedError("recvmsg_into not allowed on instances of %s" % self.__class__)

    def pending(self):
        """How many decrypted bytes can be read without touching the network."""
        self._checkClosed()
        return 0 if self._sslobj is None else self._sslobj.pending()

    def _refuse_flags(self, operation):
        raise ValueError("non-zero flags not allowed in calls to %s() on %s" % (operation, self.__class__))

    # ---- begin and end

    def do_handshake(self, block=False):
        """Does the handshake; with block, waits for it even if the socket is non-blocking."""
        self._check_connected()
        connection = self._connection("do_handshake")
        timeout = self.gettimeout()
        if timeout == 0.0 and block:
            self.settimeout(None)
            try:
                connection.do_handshake()
            finally:
                self.settimeout(timeout)
        else:
            connection.do_handshake()

    def verify_client_post_handshake(self):
        """Asks a TLS 1.3 client for a certificate after the handshake."""
        return self._connection("verify_client_post_handshake").verify_client_post_handshake()

    def connect(self, addr):
        """Connects to a remote address and, unless told otherwise, does the handshake."""
        self._connect(addr, False)

    def connect_ex(self, addr):
        """Like connect(), but returns an error number where the connection itself fails."""
        return self._connect(addr, True)

    def _connect(self, addr, returns_error):
        if self.server_side:
            raise ValueError("can't connect in server-side mode")
        if self._connected or self._sslobj is not None:
            raise ValueError("attempt to connect already-connected SSLSocket!")
        self._start_tls(self._context, False)
        try:
            if returns_error:
                error_number = self._plain.connect_ex(addr)
            else:
                error_number = self._plain.connect(addr)
            if not error_number:
                self._connected = True
                if self.do_handshake_on_connect:
                    self.do_handshake()
            return error_number
        except (socket_error, ValueError):
            self._forget()
            raise

    def accept(self):
        """Accepts a connection; returns (SSLSocket, address of the peer)."""
        connection, address = self._plain_accept()
        return (
            self._context.wrap_socket(
                connection,
                server_side=True,
                do_handshake_on_connect=self.do_handshake_on_connect,
                suppress_ragged_eofs=self.suppress_ragged_eofs,
            ),
            address,
        )

    def unwrap(self):
        """Does the closing handshake; returns a socket for further unencrypted data."""
        if self._sslobj is None:
            raise ValueError("No SSL wrapper around " + str(self))
        plain = self._sslobj.shutdown()
        self._sslobj = None
        return plain

    def shutdown(self, how):
        """Like socket.shutdown(); TLS is not used on this socket afterwards."""
        self._checkClosed()
        if self._sslobj is not None:
            self._former, self._sslobj = self._sslobj, None
        self._plain.shutdown(how)

    def _forget(self):
        """Ends the use of the descriptor by TLS, in other threads too, before it may be reused."""
        connections = self._sslobj, self._former
        self._sslobj = self._former = None
        for connection in connections:
            if connection is not None:
                connection.invalidate()

    def dup(self):
        """Raises NotImplementedError: a TLS connection has one owner."""
        raise NotImplementedError("Can't dup() %s instances" % self.__class__.__name__)

    if PY2:

        def makefile(self, mode="r", bufsize=-1):
            """A file object over the connection, which stays open until that is closed too."""
            self._makefile_refs += 1
            return _stdlib._fileobject(self, mode, bufsize, close=True)

        def close(self):
            """Closes the socket, or does so when the last file object made from it is closed."""
            if self._makefile_refs > 0:
                self._makefile_refs -= 1
                return
            self._forget()
            self._plain_close()

    else:

        def _real_close(self):
            self._forget()
            super(SSLSocket, self)._real_close()

        def detach(self):
            """Gives up the descriptor and returns it."""
            self._forget()
            return super(SSLSocket, self).detach()


if not _core.add_socket_methods(SSLSocket):
    for _name in ("recv", "recv_into", "send", "sendall"):
        setattr(SSLSocket, _name, vars(SSLSocket)["_general_" + _name])


def _byte_view(data):
    """A memoryview of single bytes."""
    try:
        view = memoryview(data)
    except TypeError:  # 2.7's array.array and buffer
        return memoryview(bytes(buffer(data)))  # noqa: F821
    if not PY2:
        return view.cast("B")
    return view if view.itemsize == 1 else memoryview(view.tobytes())


def _context_of_arguments(server_side, keyfile, certfile, cert_reqs, ssl_version, ca_certs, npn_protocols, ciphers):
    """The SSLContext that the arguments of the old functions describe."""
    if server_side and not certfile:
        raise ValueError("certfile must be specified for server-side operations")
    if keyfile and not certfile:
        raise ValueError("certfile must be specified")
    context = SSLContext(ssl_version)
    context.verify_mode = cert_reqs
    if ca_certs:
        context.load_verify_locations(ca_certs)
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    if npn_protocols:
        context.set_npn_protocols(npn_protocols)
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def wrap_socket(
    sock,
    keyfile=None,
    certfile=None,
    server_side=False,
    cert_reqs=CERT_NONE,
    ssl_version=PROTOCOL_TLS,
    ca_certs=None,
    do_handshake_on_connect=True,
    suppress_ragged_eofs=True,
    ciphers=None,
):
    """Wraps a socket with settings given one by one; SSLContext.wrap_socket() is the better way."""
    return SSLSocket(
        sock=sock,
        keyfile=keyfile,
        certfile=certfile,
        server_side=server_side,
        cert_reqs=cert_reqs,
        ssl_version=ssl_version,
        ca_certs=ca_certs,
        do_handshake_on_connect=do_handshake_on_connect,
        suppress_ragged_eofs=suppress_ragged_eofs,
        ciphers=ciphers,
    )


def sslwrap_simple(sock, keyfile=None, certfile=None):
    """2.7's forerunner of wrap_socket() for clients: an object with read() and write()."""
    context = SSLContext(PROTOCOL_TLS)
    if keyfile or certfile:
        context.load_cert_chain(certfile or keyfile, keyfile)
    connection = context._wrap_socket(getattr(sock, "_sock", sock), False)
    try:
        sock.getpeername()
    except socket_error:
        pass  # the caller connects it, and shakes hands, later
    else:
        connection.do_handshake()
    return connection


def get_server_certificate(addr, ssl_version=PROTOCOL_TLS, ca_certs=None, timeout=_stdlib._GLOBAL_DEFAULT_TIMEOUT):
    """The certificate of a server as PEM text.

    addr: (host, port); ca_certs: path of a PEM file to verify it with, or None for no verification;
    timeout: in seconds, for connecting and for the handshake.
    """
    certificates = _late.load("_certificates")
    context = _create_stdlib_context(ssl_version, cert_reqs=CERT_NONE if ca_certs is None else CERT_REQUIRED, cafile=ca_certs)
    sock = _stdlib.create_connection(addr, timeout)
    try:
        connection = context.wrap_socket(sock, server_hostname=addr[0] or None)
        try:
            return certificates.DER_cert_to_PEM_cert(connection.getpeercert(True))
        finally:
            connection.close()
    finally:
        sock.close()
