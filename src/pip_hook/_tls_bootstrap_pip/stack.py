# SPDX-License-Identifier: Apache-2.0
"""Which modules make up pip's HTTP stack: the only importers that may be given another `ssl`."""

import sys

from . import program

BUNDLED = ("pip._vendor.urllib3", "pip._vendor.requests", "pip._vendor.truststore")
TOP_LEVEL = ("urllib3", "requests", "truststore")

_state = {"top_level": False}


def covers(name):
    """True when the module `name` belongs to pip's HTTP stack in this process."""
    for root in BUNDLED:
        if name == root or name.startswith(root + "."):
            return True
    return name.partition(".")[0] in TOP_LEVEL and uses_top_level()


def uses_top_level():
    """True when pip imports requests and urllib3 from outside of its own package.

    Debian's and Ubuntu's pips up to 20.3.4 are debundled and say so in `pip._vendor.DEBUNDLED`.
    14.04's pip 1.5.4 has no `pip._vendor` at all: `pip.download` imports requests. In both cases the
    modules belong to everybody, so they count as pip's only where pip is the whole program.
    """
    if not _state["top_level"]:
        vendor = sys.modules.get("pip._vendor")
        if vendor is None:
            borrowed = "pip.download" in sys.modules
        else:
            borrowed = getattr(vendor, "DEBUNDLED", False) is True
        _state["top_level"] = borrowed and program.is_pip()
    return _state["top_level"]


def is_urllib3(name):
    """True for the package urllib3 itself, wherever this pip keeps it."""
    return covers(name) and name.rpartition(".")[2] == "urllib3"


def is_pyopenssl_bridge(name):
    """True for urllib3's module that puts PyOpenSSL in the place of `ssl`."""
    return covers(name) and name.endswith(".contrib.pyopenssl")
