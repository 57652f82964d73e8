# SPDX-License-Identifier: Apache-2.0
"""TLS within TLS on Python 2: an index behind a proxy that is itself reached by TLS.

urllib3 1.26 has a transport for it over MemoryBIO and says that it is not for Python 2, where `ssl` has none. With
`_tls_bootstrap` it is entered there too, and two of its methods need Python 3. They are given here.
"""

import socket
import sys

_BLOCK = 1 << 14  # bytes; one TLS record


def enable():
    """Make the transport of the urllib3 that has just been imported fit for Python 2. Never raises."""
    for place in ("pip._vendor.", ""):
        module = sys.modules.get(place + "urllib3.util.ssltransport")
        if hasattr(module, "SSLTransport"):
            module.SSLTransport.sendall = _sendall
            module.SSLTransport.makefile = _makefile


def _sendall(self, data, flags=0):
    if flags != 0:
        raise ValueError("flags are not possible over TLS")
    view = memoryview(data)
    sent = 0
    while sent < len(view):
        sent += self.send(view[sent : sent + _BLOCK].tobytes())


def _makefile(self, mode="r", bufsize=-1):
    # The socket below counts its files: it is closed when the last of them is, as httplib expects.
    self.socket._makefile_refs += 1
    return socket._fileobject(self, mode, bufsize, close=True)
