# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""What a client calls the server: internationalised names, addresses, wildcards and names that are none."""

from __future__ import unicode_literals

import random

import pytest

import _tls_bootstrap as tls
from _tls_bootstrap import _compat, _core
from peers import MemoryPair, client_context, server_context


@pytest.fixture(scope="module")
def identity(certificates):
    names = "DNS:xn--strae-oqa.example, DNS:xn--9ca.example, DNS:*.wild.example, DNS:part*.example, IP:127.0.0.1, IP:::1"
    return certificates.authority.issue("names", names)


def connected(certificates, identity, name):
    """A pair after its handshake, and the names that the server was told (None: the client told none)."""
    told = []
    server = server_context(identity)
    server.sni_callback = lambda connection, told_name, context: told.append(told_name)
    return MemoryPair(client_context(certificates), server, server_hostname=name).handshake(), told


@pytest.mark.parametrize("name", ["é.example", "É.example", "xn--9ca.example", b"xn--9ca.example", bytearray(b"xn--9ca.example")])
def test_an_internationalised_name_is_sent_and_verified_as_a_label(certificates, identity, name):
    pair, told = connected(certificates, identity, name)
    assert told == ["xn--9ca.example"]
    assert pair.client.server_hostname == "xn--9ca.example"
    assert isinstance(pair.client.server_hostname, str if bytes is str else type(""))


def test_a_label_that_idna_2003_would_not_make_is_taken_as_it_is(certificates, identity):
    # IDNA 2008 keeps the sharp s, for which Python's codec says "ss".
    assert connected(certificates, identity, "xn--strae-oqa.example")[1] == ["xn--strae-oqa.example"]


@pytest.mark.parametrize("name", ["127.0.0.1", "::1"])
def test_addresses_are_verified_and_not_sent(certificates, identity, name):
    # RFC 6066 section 3: literal addresses are not permitted as host names.
    pair, told = connected(certificates, identity, name)
    assert told == [None]
    assert pair.client.server_hostname == name


@pytest.mark.parametrize("name", ["any.wild.example", "ANY.Wild.Example"])
def test_a_wildcard_stands_for_one_label(certificates, identity, name):
    connected(certificates, identity, name)


@pytest.mark.parametrize(
    "name", ["wild.example", "two.labels.wild.example", "part1.example", "127.0.0.2", "::2", "strasse.example", "e.example"]
)
def test_what_does_not_match_is_refused(certificates, identity, name):
    with pytest.raises(tls.SSLCertVerificationError) as caught:
        connected(certificates, identity, name)
    assert caught.value.verify_code in (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


@pytest.mark.parametrize("name", ["xn--9ca.example\0.elsewhere.example", "\0", "xn--9ca.example\0"])
def test_an_embedded_nul_is_refused(certificates, identity, name):
    with pytest.raises(TypeError) as caught:
        connected(certificates, identity, name)
    assert "null" in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", ".example.org", "a..b", "a" * 64 + ".example", "é" * 64 + ".example"])
def test_what_is_no_name_is_refused(certificates, identity, name):
    with pytest.raises(ValueError):
        connected(certificates, identity, name)


@pytest.mark.parametrize("name", [5, ["localhost"], object()])
def test_what_is_no_text_is_refused(certificates, identity, name):
    with pytest.raises(TypeError):
        connected(certificates, identity, name)


def test_the_refusal_tells_the_names_of_the_certificate(certificates, identity):
    with pytest.raises(tls.SSLCertVerificationError, match="hostname 'e.example' doesn't match either of .*wild.example") as caught:
        connected(certificates, identity, "e.example")
    assert "doesn't match" in caught.value.strerror and caught.value.args[1] == caught.value.strerror


def encoded(name):
    try:
        return _compat.encode_hostname(name)
    except (TypeError, UnicodeError) as error:
        return type(error), str(error)


def test_a_name_that_is_taken_as_it_is_would_be_made_the_same(monkeypatch):
    """What the C half says of a name saves the way through the codecs, and only that."""
    seeded = random.Random(3492)
    names = ["", ".", "a.", "a..", ".a", "a" * 63, "a" * 64, "a." * 120, "b.%s.c" % ("a" * 64), "a\0b", "\0", "\x7f", "\ud800"]
    for _ in range(20000):
        names.append("".join(seeded.choice("aZ-_*.\u00e9\0\u0131 1") for _ in range(seeded.choice((1, 2, 3, 5, 70)))))
    native = []
    for name in names:
        try:
            native.append(str(name))
        except UnicodeError:  # no native str on 2.7
            native.append(name)
    short = [encoded(name) for name in native]
    plain = [_core.is_plain_hostname(name) for name in native]
    monkeypatch.setattr(_compat._core, "is_plain_hostname", lambda name: False)
    assert [encoded(name) for name in native] == short
    assert 1000 < sum(plain) < 19000
    assert all(name == long for name, long, known in zip(native, short, plain) if known)


@pytest.mark.parametrize("name", [b"a", bytearray(b"a"), 1, None] if bytes is not str else ["a", bytearray(b"a"), 1, None])
def test_only_native_str_is_taken_as_it_is(name):
    assert not _core.is_plain_hostname(name)


def test_a_subclass_of_str_is_not_kept(certificates):
    class Name(str):
        pass

    context = client_context(certificates)
    end = context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname=Name("localhost"))
    assert type(end.server_hostname) is str
