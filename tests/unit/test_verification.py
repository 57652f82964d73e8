# SPDX-License-Identifier: Apache-2.0
"""What a client and a server refuse, and how the refusal reads (ssl documentation, "Exceptions")."""

import pytest

import _tls_bootstrap as tls
from peers import MemoryPair, Server, client_context, read_all, server_context

X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY = 20
X509_V_ERR_CERT_NOT_YET_VALID = 9
X509_V_ERR_CERT_HAS_EXPIRED = 10
X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT = 18
X509_V_ERR_HOSTNAME_MISMATCH = 62

REFUSALS = [
    (
        "untrusted",
        X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        "unable to get local issuer certificate",
    ),
    ("expired", X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired"),
    ("not_yet_valid", X509_V_ERR_CERT_NOT_YET_VALID, "certificate is not yet valid"),
    ("self_signed", X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "self"),
    (
        "wrong_host",
        X509_V_ERR_HOSTNAME_MISMATCH,
        "Hostname mismatch, certificate is not valid for 'localhost'.",
    ),
]


@pytest.mark.parametrize("name, code, message", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_bad_server_certificate_is_refused(certificates, version, name, code, message):
    identity = getattr(certificates, name)
    pair = MemoryPair(client_context(certificates, version), server_context(identity, version))
    with pytest.raises(tls.SSLCertVerificationError) as caught:
        pair.handshake()
    error = caught.value
    assert error.verify_code == code
    assert message in error.verify_message
    assert error.library == "SSL"
    assert error.reason == "CERTIFICATE_VERIFY_FAILED"
    assert error.errno == tls.SSL_ERROR_SSL
    assert str(error).startswith("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: ")
    assert error.verify_message in str(error)
    assert isinstance(error, tls.SSLError)
    assert isinstance(error, ValueError)
    assert isinstance(error, EnvironmentError)
    assert type(error) is tls.CertificateError


@pytest.mark.parametrize("name, code, message", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_the_server_learns_of_the_refusal(certificates, name, code, message):
    version = tls.TLSVersion.TLSv1_2
    pair = MemoryPair(
        client_context(certificates, version), server_context(getattr(certificates, name), version)
    )
    with pytest.raises(tls.SSLCertVerificationError):
        pair.handshake()
    with pytest.raises(tls.SSLError) as caught:
        pair.server.do_handshake()
    assert "ALERT" in caught.value.reason


def test_a_bad_certificate_is_refused_over_a_socket(certificates, version):
    context = server_context(certificates.expired, version)
    with Server(read_all, context, may_fail=True) as server:
        with pytest.raises(tls.SSLCertVerificationError) as caught:
            client_context(certificates, version).wrap_socket(
                server.connect(), server_hostname="localhost"
            )
        assert caught.value.verify_code == X509_V_ERR_CERT_HAS_EXPIRED
    # With TLS 1.3 the server has finished before it hears of the refusal.
    assert server.results or isinstance(server.errors[0], EnvironmentError)


def test_the_host_name_does_not_matter_unless_checked(certificates, version):
    client = client_context(certificates, version)
    client.check_hostname = False
    MemoryPair(client, server_context(certificates.wrong_host, version)).handshake()


def test_nothing_matters_without_verification(certificates, version):
    client = client_context(certificates, version)
    client.check_hostname = False
    client.verify_mode = tls.CERT_NONE
    for name in ("untrusted", "expired", "wrong_host", "self_signed"):
        pair = MemoryPair(client, server_context(getattr(certificates, name), version)).handshake()
        assert pair.client.getpeercert() == {}
        assert pair.client.getpeercert(True)


def test_an_intermediate_authority_must_be_sent(certificates, version):
    client = client_context(certificates, version)
    MemoryPair(client, server_context(certificates.chain, version)).handshake()
    with pytest.raises(tls.SSLCertVerificationError):
        MemoryPair(client, server_context(certificates.chain_leaf, version)).handshake()


def test_a_trusted_intermediate_needs_the_partial_chain_flag(certificates, version):
    client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    client.minimum_version = client.maximum_version = version
    client.load_verify_locations(certificates.intermediate.certificate)
    server = server_context(certificates.chain, version)
    client.verify_flags &= ~tls.VERIFY_X509_PARTIAL_CHAIN
    with pytest.raises(tls.SSLCertVerificationError):
        MemoryPair(client, server).handshake()
    client.verify_flags |= tls.VERIFY_X509_PARTIAL_CHAIN
    MemoryPair(client, server).handshake()


def test_strict_verification_accepts_a_proper_chain(certificates, version):
    client = client_context(certificates, version)
    client.verify_flags |= tls.VERIFY_X509_STRICT
    MemoryPair(client, server_context(certificates.chain, version)).handshake()


def test_certificates_of_both_ends_are_seen(certificates, version):
    client = client_context(certificates, version)
    client.load_cert_chain(certificates.client.certificate, certificates.client.key)
    server = server_context(certificates.chain, version)
    server.verify_mode = tls.CERT_REQUIRED
    server.load_verify_locations(certificates.authority.certificate)
    pair = MemoryPair(client, server).handshake()
    assert pair.server.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)
    leaf = pair.client.getpeercert()
    assert leaf["subjectAltName"][0] == ("DNS", "localhost")
    verified = pair.client.get_verified_chain()
    assert len(verified) == 3
    assert verified[0] == pair.client.getpeercert(True)
    assert pair.client.get_unverified_chain() == verified[:2]


def test_a_missing_client_certificate_is_refused(certificates, version):
    server = server_context(certificates.localhost, version)
    server.verify_mode = tls.CERT_REQUIRED
    server.load_verify_locations(certificates.authority.certificate)
    pair = MemoryPair(client_context(certificates, version), server)
    with pytest.raises(tls.SSLError) as caught:
        pair.handshake()
    assert caught.value.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"


def test_an_optional_client_certificate_may_be_missing(certificates, version):
    server = server_context(certificates.localhost, version)
    server.verify_mode = tls.CERT_OPTIONAL
    server.load_verify_locations(certificates.authority.certificate)
    pair = MemoryPair(client_context(certificates, version), server).handshake()
    assert pair.server.getpeercert() is None
    assert pair.server.getpeercert(True) is None


def test_a_client_certificate_does_not_serve(certificates, version):
    # extendedKeyUsage says clientAuth only.
    client = client_context(certificates, version)
    client.check_hostname = False
    with pytest.raises(tls.SSLCertVerificationError) as caught:
        MemoryPair(client, server_context(certificates.client, version)).handshake()
    assert "purpose" in caught.value.verify_message
