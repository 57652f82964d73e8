# SPDX-License-Identifier: Apache-2.0
"""Evidence for `tls-bootstrap check`: which connections this package made.

TLS_BOOTSTRAP_TRACE names a file; after each completed handshake one line of JSON is appended.  The
file must be the user's own (a regular file of mode 0600 with one name), else nothing is written.  Its
first line, if the check made the file, holds the nonce that becomes the exporter's context.
Tracing never disturbs the connection: every error is swallowed.

_connection imports this where the variable is set.
"""

import os
import stat
import sys

from . import __version__, _core
from ._compat import environment

HEADER_KEY = "tls-bootstrap-trace"
EXPORTER_LABEL = b"EXPORTER-tls-bootstrap-check"
EXPORTER_LENGTH = 32

_HEADER_LIMIT = 4096  # bytes; the header has about a hundred
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0o2000000)

_json = None  # the module, once there is something to write
_path = environment("TLS_BOOTSTRAP_TRACE")


def handshake_completed(connection):
    """Appends a line about a connection of the C half whose handshake has just been completed."""
    try:
        _append(_path, connection)
    except Exception:
        pass


def _append(path, connection):
    global _json
    if _json is None:  # not at each connection: see _late.load
        import json as _json

    descriptor = _open(path)
    if descriptor is None:
        return
    try:
        line = _json.dumps(_facts(connection, _nonce(descriptor)), sort_keys=True) + "\n"
        os.write(descriptor, line.encode("ascii"))  # one write: lines of processes never mix
    finally:
        os.close(descriptor)


def _open(path):
    """A descriptor of the file, made if it was absent; None if it is not fit to be written to."""
    try:
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        descriptor = os.open(path, _FLAGS)
    state = os.fstat(descriptor)
    if (
        stat.S_ISREG(state.st_mode)
        and stat.S_IMODE(state.st_mode) == 0o600
        and state.st_uid == os.geteuid()
        and state.st_nlink == 1
    ):
        return descriptor
    os.close(descriptor)
    return None


def _nonce(descriptor):
    """The context for the exporter: bytes, or None if the file has no header line."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    first = os.read(descriptor, _HEADER_LIMIT).split(b"\n", 1)[0]
    try:
        header = _json.loads(first.decode("ascii"))
        if HEADER_KEY in header:
            return bytes(bytearray.fromhex(header["nonce"]))
    except (ValueError, KeyError, TypeError):
        pass
    return None


def _facts(connection, nonce):
    """What proves a connection, who made it, and versions: nothing that tells whom it was made with."""
    return {
        "exporter": _exporter(connection, nonce),
        "pid": os.getpid(),
        "protocol": connection.version(),
        "module": os.path.join(os.path.dirname(os.path.abspath(__file__)), "__init__.py"),
        "core": _core.__file__,
        "openssl": _core.OPENSSL_VERSION,
        "version": __version__,
        "python": "%d.%d.%d" % sys.version_info[:3],
    }


def _exporter(connection, nonce):
    """The exporter value in hexadecimal; None where it would not be bound to this connection."""
    if not connection.extended_master_secret():  # RFC 7627 section 1; always there in TLS 1.3
        return None
    value = connection.export_keying_material(EXPORTER_LABEL, EXPORTER_LENGTH, nonce)
    return "".join("%02x" % octet for octet in bytearray(value))
