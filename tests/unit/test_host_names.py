# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""What a client calls the server: internationalised names, addresses, wildcards and names that are none."""

from __future__ import unicode_literals

import pytest

import _tls_bootstrap as tls
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
