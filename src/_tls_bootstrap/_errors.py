# SPDX-License-Identifier: Apache-2.0
"""The exception family (ssl documentation: "Exceptions").

The classes are defined here and handed to the C half once, which fills in the attributes.
"""

import sys

if sys.version_info[0] == 2:
    # The C module: cheap, and the owner of the two classes. An import statement would find this package's own.
    _theirs = __import__("_socket", level=0)
    socket_error = _theirs.error
else:
    socket_error = OSError


class SSLError(socket_error):
    """A failure reported by the TLS library.

    errno: one of SSLErrorNumber, or the library's own code; strerror: the text, also str(error);
    library, reason: the library's part and reason as short upper-case names, or None.
    """

    __module__ = "_tls_bootstrap"
    library = None
    reason = None

    def __str__(self):
        if isinstance(self.strerror, str):
            return self.strerror
        if len(self.args) == 1:
            return str(self.args[0])
        return str(self.args)


class SSLZeroReturnError(SSLError):
    """The peer has closed the TLS connection cleanly; the transport below may still be open."""

    __module__ = "_tls_bootstrap"


class SSLWantReadError(SSLError):
    """More data must be received on the transport before the operation can be completed."""

    __module__ = "_tls_bootstrap"


class SSLWantWriteError(SSLError):
    """More data must be sent on the transport before the operation can be completed."""

    __module__ = "_tls_bootstrap"


class SSLSyscallError(SSLError):
    """A system call failed while the TLS library was at work and left no error number."""

    __module__ = "_tls_bootstrap"


class SSLEOFError(SSLError):
    """The transport was closed by the peer without the closing handshake of TLS."""

    __module__ = "_tls_bootstrap"


class SSLCertVerificationError(SSLError, ValueError):
    """The peer's certificate was not accepted.

    verify_code: the library's number for it; verify_message: its text.  A ValueError too, because
    CertificateError, which is another name of this class, was one in Python 3.6.
    """

    __module__ = "_tls_bootstrap"
    verify_code = None
    verify_message = None


if sys.version_info[0] == 2:

    class _timeout(SSLError, _theirs.timeout):
        """What a timeout is on 2.7: its ssl module raised an SSLError, Python 3's a socket.timeout."""

        __module__ = "_tls_bootstrap"

elif sys.version_info >= (3, 10):
    _timeout = TimeoutError
else:
    _timeout = OSError  # until sockets_time_out() is told: nothing else times out, and _socket takes a tenth of the import

FAMILY = (
    SSLError,
    SSLZeroReturnError,
    SSLWantReadError,
    SSLWantWriteError,
    SSLSyscallError,
    SSLEOFError,
    SSLCertVerificationError,
)


def hand_over(core):
    """Tells the C half which classes to raise."""
    family = dict((cls.__name__, cls) for cls in FAMILY)
    core.set_exceptions(dict(family, OSError=socket_error, timeout=_timeout))


def sockets_time_out(core, timeout):
    """Tells the C half which class `socket` has for timeouts, where it is one of its own (3.4 to 3.9)."""
    global _timeout
    if _timeout is OSError:
        _timeout = timeout
        hand_over(core)
