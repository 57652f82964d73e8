# SPDX-License-Identifier: Apache-2.0
"""The API of Python 3.6's `ssl` module, and what later versions added, over an OpenSSL of its own.

The leading underscore means what it means in `_thread`: documented and usable, but provided by the
platform and rebased freely, without a promise of backward compatibility for general use.

Importing this package never imports `ssl` and has no effect on other users of TLS in the process.
It raises ImportError, in one line that says what to do, where its binary half cannot be used.
Public names are resolved when they are first touched, so that an import alone stays cheap.

No file here says `from __future__ import absolute_import`: Python 3 would import a module for it, a tenth of this
import.  So 2.7 looks for each module here first, and none may be imported that a file here has the name of.
"""

# Not `from . import _loader`: 2.7 cannot do that again after an import that failed, and would hide the reason.
from ._loader import load_core as _load_core

# The same stands in VERSION at the top of the source tree.
__version__ = "0.1.0"

_core = _load_core(__path__[0], __version__)

from . import _late  # noqa: E402  (where the core cannot be loaded, nothing else is)

_late.remember(__path__[0])

from . import _errors, _names  # noqa: E402  (they need the core)

_errors.hand_over(_core)

SSLError = _errors.SSLError
SSLZeroReturnError = _errors.SSLZeroReturnError
SSLWantReadError = _errors.SSLWantReadError
SSLWantWriteError = _errors.SSLWantWriteError
SSLSyscallError = _errors.SSLSyscallError
SSLEOFError = _errors.SSLEOFError
SSLCertVerificationError = CertificateError = _errors.SSLCertVerificationError
socket_error = _errors.socket_error

_names.install(__name__, _core)
_late.refuse_replaced()
if _names.HAS_MODULE_GETATTR:
    __getattr__ = _names.resolve
    __dir__ = _names.listing
