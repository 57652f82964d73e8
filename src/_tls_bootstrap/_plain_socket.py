# SPDX-License-Identifier: Apache-2.0
"""The socket class that SSLSocket extends, the same to look at on Python 2.7 and 3.

On 2.7 socket.socket is a wrapper whose instances carry recv, send and others as attributes, which hide
methods of the same name in a subclass.  The class here has none of them; it also takes `fileno`, is a
context manager and has sendfile(), as on Python 3.
"""

import os
import socket as _stdlib

from . import _core, _errors
from ._compat import PY2

_errors.sockets_time_out(_core, _stdlib.timeout)

_BLOCK = 64 * 1024  # bytes that sendfile() reads at a time


def _send_file(sock, file, offset, count):
    """sendfile() in terms of read() and sendall(); returns the number of bytes sent."""
    if offset:
        file.seek(offset)
    total = 0
    try:
        while count is None or total < count:
            data = file.read(_BLOCK if count is None else min(_BLOCK, count - total))
            if not data:
                break
            sock.sendall(data)
            total += len(data)
        return total
    finally:
        if hasattr(file, "seek"):
            file.seek(offset + total)


if PY2:
    _HIDING = getattr(_stdlib, "_delegate_methods", ())

    class socket(_stdlib.socket):
        """socket.socket of 2.7 with overridable methods; `_sock` is the object of the C module."""

        def __init__(
            self,
            family=_stdlib.AF_INET,
            type=_stdlib.SOCK_STREAM,
            proto=0,
            fileno=None,
            _sock=None,
        ):
            if _sock is None and fileno is not None:
                _sock = _stdlib.fromfd(fileno, family, type, proto)._sock
                os.close(fileno)  # fromfd duplicates, Python 3 takes over
            _stdlib.socket.__init__(self, family, type, proto, _sock=_sock)
            for name in _HIDING:
                vars(self).pop(name, None)

        @property
        def _plain(self):
            """The methods for unencrypted I/O."""
            return self._sock

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.close()

        def _adopt(self, sock):
            """Initialises this object with another one's connection, which both share from now on."""
            socket.__init__(self, _sock=sock._sock)

        def _plain_accept(self):
            connection, address = self._sock.accept()
            return _stdlib.socket(_sock=connection), address

        def _plain_close(self):
            _stdlib.socket.close(self)

else:

    class socket(_stdlib.socket):
        """socket.socket of Python 3 with names for what SSLSocket needs of it."""

        __module__ = "_tls_bootstrap"

        @property
        def _plain(self):
            """The methods for unencrypted I/O."""
            return super(socket, self)

        def _adopt(self, sock):
            """Initialises this object with another one's connection, which is detached."""
            _stdlib.socket.__init__(self, family=sock.family, type=sock.type, proto=sock.proto, fileno=sock.fileno())
            self.settimeout(sock.gettimeout())
            sock.detach()

        def _plain_accept(self):
            return _stdlib.socket.accept(self)


def plain_sendfile(sock, file, offset, count):
    """sock.sendfile() without TLS."""
    method = getattr(_stdlib.socket, "sendfile", None)  # since 3.5
    if method is None:
        return _send_file(sock, file, offset, count)
    return method(sock, file, offset, count)


def tls_sendfile(sock, file, offset, count):
    """sock.sendfile() by way of sock.sendall(); the arguments are checked as Python 3 does."""
    if "b" not in getattr(file, "mode", "b"):
        raise ValueError("file should be opened in binary mode")
    if count is not None:
        if isinstance(count, bool) or not hasattr(count, "__index__"):
            raise TypeError("count must be a positive integer (got %r)" % (count,))
        if count <= 0:
            raise ValueError("count must be a positive integer (got %r)" % (count,))
    if sock.gettimeout() == 0:
        raise ValueError("non-blocking sockets are not supported")
    return _send_file(sock, file, offset, count)
