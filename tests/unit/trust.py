# SPDX-License-Identifier: Apache-2.0
"""What the tests of the cache of certificate authorities do, here and in child interpreters."""

import collections
import os
import time

import _tls_bootstrap as tls

#: Seconds within which a file that nobody touches must come to be kept; the cache wants 2 to 3.
LIMIT = 30.0

#: Of this process: uses of a kept file, files read, files kept, certificates parsed one by one.
Counts = collections.namedtuple("Counts", "uses reads kept parsed")


def trusted(path):
    """The certificates that a new context takes from a file, as DER."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    return context.get_ca_certs(binary_form=True)


def counts():
    return Counts(*tls._core._trust_counts())


def keep(path):
    """Loads a file of the fixture `files` twice and makes sure that the second time it came from the cache."""
    trusted(path)
    before = counts().uses
    trusted(path)
    assert counts().uses == before + 1, "%s is not kept" % path


def settle(paths):
    """Waits until files are so old that the cache keeps them: any further change then changes their times."""
    deadline = time.time() + LIMIT
    while time.time() <= max(os.stat(path).st_ctime for path in paths) + 3.1:
        assert time.time() < deadline, "the clock stands still"
        time.sleep(0.05)  # the condition is the time itself: nothing tells when a clock has advanced
