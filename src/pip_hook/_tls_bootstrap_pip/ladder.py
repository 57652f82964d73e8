# SPDX-License-Identifier: Apache-2.0
"""The ladder: `_tls_bootstrap`, then PyOpenSSL, then `ssl`. Decided once per process."""

import sys
import threading

from . import program, replacement

TLS_BOOTSTRAP = "_tls_bootstrap"
PYOPENSSL = "PyOpenSSL"
STANDARD = "ssl"


class Ladder(object):
    """The rung that pip stands on: `rung`, and for `_tls_bootstrap` the modules that replace `ssl`."""

    def __init__(self):
        self.rung = None
        self.module = None
        self.low_level = None
        self._choosing = False
        self._lock = threading.RLock()

    def settle(self, finder):
        """Choose the rung at the first call and return it. Never raises."""
        if self.rung is not None:  # without the lock, which is Python on 2.7
            return self.rung
        with self._lock:
            if self.rung is None and not self._choosing:
                self._choosing = True
                self.rung = self._choose(finder)
            return self.rung or STANDARD  # the latter for imports of pip's stack that the choice sets off

    def _choose(self, finder):
        if program.switched_off():
            return STANDARD
        try:
            self.module, self.low_level = replacement.load(finder)
        except Exception as error:
            return self.step_down(error)
        return TLS_BOOTSTRAP

    def step_down(self, reason):
        """Leave `_tls_bootstrap` for the next rung that helps this interpreter; return that rung."""
        self.module = self.low_level = None
        try:
            from .detection import is_modern  # hardly ever needed

            self.rung = STANDARD if is_modern("ssl") else PYOPENSSL
        except Exception:  # a damaged file
            self.rung = STANDARD
        program.note("pip goes on with %s: %s" % (self.rung, describe(reason)))
        return self.rung


def describe(error):
    if isinstance(error, Exception):
        return "%s: %s" % (type(error).__name__, error)
    return str(error)


def inject_pyopenssl(urllib3):
    """Put PyOpenSSL below urllib3 with urllib3's own bridge. Never raises."""
    bridge = urllib3 + ".contrib.pyopenssl"
    try:
        __import__(bridge)
        # Some import idna only at the first connection, and would fail there without a way back.
        getattr(sys.modules[bridge], "_dnsname_to_stdlib", str)(u"localhost")
        sys.modules[bridge].inject_into_urllib3()
    except Exception:  # not only ImportError: a new cryptography below an old pyOpenSSL raises others
        return False
    return True


ladder = Ladder()
