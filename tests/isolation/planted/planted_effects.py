# SPDX-License-Identifier: Apache-2.0
"""A module that does to its process what `_tls_bootstrap` must not: the control of the audit of side effects.

The environment variable PLANTED_LIBRARY names planted.c, compiled. The audit removes the shared memory segment that
stays, by PLANTED_SEGMENT, a file that its identifier is written to.
"""

import atexit
import ctypes
import gc
import logging
import os
import random
import signal
import socket
import ssl
import sys
import warnings

library = ctypes.CDLL(os.environ["PLANTED_LIBRARY"])
library.plant_at_import()
os.environ["PLANTED_TOO"] = "1"
atexit.register(len, ())
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
warnings.simplefilter("ignore")
sys.path.append("/planted")
sys.setrecursionlimit(sys.getrecursionlimit() + 1)
gc.set_threshold(1000)
socket.setdefaulttimeout(300)
socket.planted = True
ssl.SSLContext = type("SSLContext", (ssl.SSLContext,), {})
random.seed(1)
logging.getLogger("planted")
os.chdir("/")


def first_use():
    segment = library.plant_at_first_use()
    with open(os.environ["PLANTED_SEGMENT"], "w") as stream:
        stream.write(str(segment))
    crypto = ctypes.CDLL("libcrypto.so.3")
    crypto.OSSL_PROVIDER_load(None, b"legacy")
