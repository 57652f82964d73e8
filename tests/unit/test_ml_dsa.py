# SPDX-License-Identifier: Apache-2.0
"""Certificates with ML-DSA keys (FIPS 204, RFC 9881), made by another OpenSSL: see ml_dsa/README."""

import os

import pytest

import _tls_bootstrap as tls
from authority import Identity
from peers import MemoryPair, server_context

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ml_dsa")
AUTHORITY = os.path.join(FILES, "authority.pem")
LOCALHOST = Identity(os.path.join(FILES, "localhost.pem"), os.path.join(FILES, "localhost.key"))

pytestmark = pytest.mark.skipif(
    tls.OPENSSL_VERSION_INFO < (3, 5), reason="ML-DSA came with OpenSSL 3.5, the system's is older"
)


def client_trusting(path):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    return context


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_the_chain_is_verified(name):
    pair = MemoryPair(client_trusting(AUTHORITY), server_context(LOCALHOST), server_hostname=name).handshake()
    assert pair.client.version() == "TLSv1.3"
    assert pair.send(pair.client, pair.server, b"data") == b"data"
    certificate = pair.client.getpeercert()
    assert certificate["subject"] == ((("commonName", "localhost"),),)
    assert certificate["subjectAltName"] == (("DNS", "localhost"), ("IP Address", "127.0.0.1"))
    assert len(pair.client.getpeercert(True)) > 3309  # its signature alone is that long


def test_another_authority_is_not_believed(certificates):
    pair = MemoryPair(client_trusting(certificates.authority.certificate), server_context(LOCALHOST))
    with pytest.raises(tls.SSLCertVerificationError):
        pair.handshake()


def test_another_name_is_not_believed():
    pair = MemoryPair(client_trusting(AUTHORITY), server_context(LOCALHOST), server_hostname="example.org")
    with pytest.raises(tls.SSLCertVerificationError):
        pair.handshake()


def test_tls_1_2_has_no_such_signatures():
    server = server_context(LOCALHOST, tls.TLSVersion.TLSv1_2)
    with pytest.raises(tls.SSLError):
        MemoryPair(client_trusting(AUTHORITY), server).handshake()


def test_a_key_of_another_certificate_is_refused(certificates):
    pairs = [(LOCALHOST.certificate, certificates.localhost.key), (certificates.localhost.certificate, LOCALHOST.key)]
    for certificate, key in pairs:
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        with pytest.raises(tls.SSLError):
            context.load_cert_chain(certificate, key)
