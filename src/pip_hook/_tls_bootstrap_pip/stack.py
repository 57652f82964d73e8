# SPDX-License-Identifier: Apache-2.0
"""Which modules of pip may be given another `ssl`: those of its HTTP stack, and a few that borrow from that."""

import sys

from . import program

TOP_LEVEL = ("urllib3", "requests", "truststore")  # or in pip._vendor
# They open no connection. What they take from `ssl` when they are imported is a function, and a version to tell the index.
BORROWERS = frozenset(("pip._vendor.distlib.compat", "pip._vendor.distlib.util", "pip.download"))
# Their functions take it: that version, and the protocol for a context of truststore's.
LATE_BORROWERS = frozenset((
    "pip._internal.utils.compat",
    "pip._internal.network.session",
    "pip._internal.cli.req_command",
    "pip._internal.cli.index_command",
))

_state = {"top_level": False}


def covers(name):
    """True when the module `name` belongs to pip's HTTP stack in this process."""
    if name[:12] == "pip._vendor.":
        return name[12:].partition(".")[0] in TOP_LEVEL
    return name.partition(".")[0] in TOP_LEVEL and uses_top_level()


def may_hold(name):
    """True when the module `name` may be given `_tls_bootstrap`."""
    return name in BORROWERS or covers(name) or name in LATE_BORROWERS


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
    return name.endswith("urllib3") and name.rpartition(".")[2] == "urllib3" and covers(name)


def is_pyopenssl_bridge(name):
    """True for urllib3's module that puts PyOpenSSL in the place of `ssl`."""
    return name.endswith(".contrib.pyopenssl") and covers(name)
