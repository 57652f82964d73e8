# SPDX-License-Identifier: Apache-2.0
"""Every difference between Python versions that the Python half has to know, enumerations excepted.

The C half takes native str (`str` of the running Python) for texts, bytes for data, and paths as
bytes on Python 3 and as str on 2.7; the conversions are here.
"""

import os
import sys

# 2.7's str.encode("ascii") imports a module the first time, maybe in a thread that outlives the interpreter; these do not.
from codecs import ascii_decode, ascii_encode

from . import _core

PY2 = sys.version_info[0] == 2

# Names that only 2.7 has, hence noqa. (To learn the type by decoding something would import a codec there.)
text_type = unicode if PY2 else str  # noqa: F821
integer_types = (int, long) if PY2 else (int,)  # noqa: F821

if PY2:
    _fs_encoding = sys.getfilesystemencoding() or "ascii"


def environment(name):
    """A variable that an administrator or user may set for this package, as native str, or None.

    None in a process with raised privileges (secure_getenv of glibc) and under -E and -I.
    """
    if sys.flags.ignore_environment:
        return None
    return _core.secure_getenv(name)


def native_ascii(text, what):
    """Native str of an ASCII text given as str, or as unicode on 2.7.

    what: the argument's name for the message.  Raises TypeError for other types (bytes on Python 3
    included) and ValueError for what is not ASCII.
    """
    if isinstance(text, str):
        return text
    if PY2 and isinstance(text, text_type):
        return ascii_encode(text)[0]
    raise TypeError("%s must be str, not %s" % (what, type(text).__name__))


def path_argument(path, what):
    """A path in the form that the C half takes.

    path: str, bytes or an object with __fspath__.  Raises TypeError that names the argument `what`,
    and ValueError for an embedded null byte.
    """
    if hasattr(type(path), "__fspath__"):
        path = type(path).__fspath__(path)
    if PY2 and isinstance(path, text_type):
        path = path.encode(_fs_encoding)
    elif isinstance(path, str) and not PY2:
        path = os.fsencode(path)
    if not isinstance(path, bytes):
        raise TypeError("%s should be a valid filesystem path" % what)
    if b"\0" in path:
        raise ValueError("%s: embedded null byte" % what)
    return path


def path_result(path):
    """A path from the C half as native str; None stays None."""
    return path if path is None or isinstance(path, str) else os.fsdecode(path)


def bytes_argument(text, what):
    """bytes of an ASCII text or of bytes-like data; raises TypeError that names the argument `what`."""
    if isinstance(text, text_type):
        return ascii_encode(text)[0]
    if isinstance(text, (bytes, bytearray)):
        return bytes(text)
    try:
        return memoryview(text).tobytes()
    except TypeError:
        raise TypeError("%s must be str or bytes, not %s" % (what, type(text).__name__))


def buffer_size(buffer):
    """The number of bytes in a bytes-like object."""
    if type(buffer) in (bytes, bytearray):
        return len(buffer)
    try:
        view = memoryview(buffer)
    except TypeError:
        if not PY2:
            raise
        # 2.7's array.array and buffer have no memoryview.
        return len(buffer) * getattr(buffer, "itemsize", 1)
    try:
        return len(view) * view.itemsize if PY2 else view.nbytes
    finally:
        if not PY2:
            view.release()


def encode_hostname(hostname):
    """A server name as ASCII native str in A-label form; None stays None.

    Internationalised names go through IDNA 2003, as in `ssl`.  Raises TypeError for an embedded null
    character or a wrong type, and UnicodeError, a ValueError, for an empty name, a leading dot or an
    invalid label.
    """
    if hostname is None or _core.is_plain_hostname(hostname):
        return hostname
    if isinstance(hostname, (bytes, bytearray)):
        hostname = ascii_decode(bytes(hostname))[0]
    elif not isinstance(hostname, text_type):
        raise TypeError("server_hostname must be str or bytes, not %s" % type(hostname).__name__)
    if "\0" in hostname:
        raise TypeError("server_hostname: embedded null character")
    if not hostname or hostname.startswith("."):
        raise UnicodeError("server_hostname cannot be an empty string or start with a leading dot.")
    try:
        encoded = ascii_encode(hostname)[0]
    except UnicodeError:
        encoded = hostname.encode("idna")
    else:
        labels = hostname.split(".")
        if "" in labels[:-1] or max(map(len, labels)) > 63:
            raise UnicodeError("server_hostname: label empty or too long")
    return encoded if PY2 else encoded.decode("ascii")
