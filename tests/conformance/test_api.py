# SPDX-License-Identifier: Apache-2.0
"""`_tls_bootstrap` has every name, member, call and value of 3.6's `ssl`, and of what later versions added."""

from __future__ import absolute_import

import types

import _tls_bootstrap as tls
import api
import pytest


def test_nothing_of_the_inventories_is_missing_or_different():
    wrong, _ = api.findings(tls)
    assert wrong == []


def imitation(**changes):
    """A module with all of the package's names, some of them changed; None leaves one out."""
    module = types.ModuleType("imitation")
    for name in dir(tls):
        if name not in changes and not name.startswith("__"):
            setattr(module, name, getattr(tls, name))
    for name, value in changes.items():
        if value is not None:
            setattr(module, name, value)
    return module


def shorter(sock, keyfile=None):
    """A wrap_socket() that lacks arguments."""


@pytest.mark.parametrize(
    "name, value, complaint",
    [
        ("cert_time_to_seconds", None, "absent"),
        ("TLSVersion", None, "absent"),
        ("CERT_REQUIRED", 3, "not 2"),
        ("HAS_SNI", False, "not True"),
        ("SSLError", Exception, "not a OSError"),
        ("wrap_socket", shorter, "refuses a call"),
        ("MemoryBIO", len, "not a class"),
        ("PEM_HEADER", 1, "not a str"),
        ("AlertDescription", tls.VerifyMode, "absent"),
    ],
)
def test_the_comparison_notices(name, value, complaint):
    wrong, _ = api.findings(imitation(**{name: value}))
    assert any(found.split(".")[0] == name and complaint in text for found, text in wrong), wrong


def test_a_call_may_be_wider_but_not_narrower():
    def wanted(one, two=None):
        """The inventory's."""

    def wider(one, two=None, three=None):
        """Takes more."""

    def stricter(one, two):
        """Needs an argument that could be left out."""

    def renamed(one, other=None):
        """Does not know a keyword."""

    def needing(one, two=None, **names):
        """Takes any keyword."""

    expected = api.signature(wanted)
    assert api.refused_call(expected, api.signature(wider)) is None
    assert api.refused_call(expected, api.signature(needing)) is None
    assert api.refused_call(expected, api.signature(stricter)) == "without two"
    assert api.refused_call(expected, api.signature(renamed)) == "two by keyword"


def test_every_public_name_has_a_docstring():
    missing = []
    for name in dir(tls):
        value = getattr(tls, name)
        if name.startswith("_") or not callable(value) or getattr(value, "__module__", None) not in OWN:
            continue
        if not getattr(value, "__doc__", None):
            missing.append(name)
        if isinstance(value, type) and not hasattr(value, "__members__"):
            missing += undocumented(name, value)
    assert missing == []


OWN = ("_tls_bootstrap", "_tls_bootstrap._core", "builtins", "__builtin__", None)


def undocumented(name, cls):
    """The public members of a class that say nothing about themselves."""
    found = []
    for base in cls.__mro__:
        if base.__module__ in ("_tls_bootstrap", "_tls_bootstrap._core"):
            for member, value in vars(base).items():
                if member.startswith("_") or not (callable(value) or isinstance(value, property)):
                    continue
                if not getattr(value, "__doc__", None) and not isinstance(value, type):
                    found.append("%s.%s" % (name, member))
    return found
