# SPDX-License-Identifier: Apache-2.0
"""SSLContext: defaults and settings (ssl documentation, "SSL Contexts")."""

import gc
import socket
import weakref

import pytest

import _tls_bootstrap as tls
from authority import read_file
from peers import MemoryPair, client_context, server_context


def test_the_context_for_clients_verifies():
    context = tls.create_default_context()
    assert context.protocol == tls.PROTOCOL_TLS_CLIENT or context.protocol == tls.PROTOCOL_TLS
    assert context.verify_mode == tls.CERT_REQUIRED
    assert context.check_hostname is True
    assert context.options & tls.OP_NO_COMPRESSION
    assert context.options & tls.OP_NO_SSLv3 or not tls.HAS_SSLv3
    assert isinstance(context, tls.SSLContext)
    assert context.sslobject_class is tls.SSLObject
    assert context.sslsocket_class is tls.SSLSocket


def test_the_context_for_servers_does_not():
    context = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
    assert context.verify_mode == tls.CERT_NONE
    assert context.check_hostname is False


def test_default_contexts_connect(certificates, version):
    client = tls.create_default_context(cafile=certificates.authority.certificate)
    client.minimum_version = version
    server = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificates.localhost.certificate, certificates.localhost.key)
    server.maximum_version = version
    pair = MemoryPair(client, server).handshake()
    assert pair.client.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[int(version)]


def test_the_default_context_takes_certificates_in_memory(certificates):
    text = read_file(certificates.authority.certificate).decode("ascii")
    client = tls.create_default_context(cadata=text)
    MemoryPair(client, server_context(certificates.localhost)).handshake()


def test_the_default_context_refuses_tls_1_1(certificates):
    client = tls.create_default_context(cafile=certificates.authority.certificate)
    server = server_context(certificates.localhost, tls.TLSVersion.TLSv1_1)
    with pytest.raises(tls.SSLError):
        MemoryPair(client, server).handshake()
    if tls._core.flavour == "bundled":  # else the distribution's policy decides how
        assert client.minimum_version == tls.TLSVersion.TLSv1_2


def test_other_makers_of_contexts():
    unverified = tls._create_unverified_context()
    assert unverified.verify_mode == tls.CERT_NONE
    assert unverified.check_hostname is False
    assert tls._create_stdlib_context is tls._create_unverified_context
    assert tls._create_default_https_context().verify_mode == tls.CERT_REQUIRED


def test_checking_and_verification_depend_on_each_other():
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    assert context.check_hostname and context.verify_mode == tls.CERT_REQUIRED
    with pytest.raises(ValueError):
        context.verify_mode = tls.CERT_NONE
    context.check_hostname = False
    context.verify_mode = tls.CERT_NONE
    with pytest.raises(ValueError):  # as in Python 3.6; later ones set verify_mode
        context.check_hostname = True
    assert context.check_hostname is False and context.verify_mode == tls.CERT_NONE
    server = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    assert not server.check_hostname and server.verify_mode == tls.CERT_NONE


@pytest.mark.parametrize("value", [-1, 3, 1000])
def test_impossible_verify_modes_are_refused(value):
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    with pytest.raises(ValueError):
        context.verify_mode = value
    with pytest.raises(TypeError):
        context.verify_mode = None


def test_options_are_set_and_cleared():
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    before = context.options
    context.options |= tls.OP_NO_TICKET
    assert context.options == before | tls.OP_NO_TICKET
    context.options &= ~tls.OP_NO_TICKET
    assert context.options == before & ~tls.OP_NO_TICKET
    assert isinstance(context.options, tls.Options)
    with pytest.raises(TypeError):
        context.options = "all"


def test_verify_flags():
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.verify_flags = tls.VERIFY_CRL_CHECK_LEAF
    assert context.verify_flags & tls.VERIFY_CRL_CHECK_LEAF
    context.verify_flags = tls.VERIFY_DEFAULT
    assert not context.verify_flags & tls.VERIFY_CRL_CHECK_LEAF
    with pytest.raises(TypeError):
        context.verify_flags = None


def test_a_revocation_list_is_required_when_asked_for(certificates):
    client = client_context(certificates)
    client.verify_flags |= tls.VERIFY_CRL_CHECK_LEAF
    with pytest.raises(tls.SSLCertVerificationError) as caught:
        MemoryPair(client, server_context(certificates.localhost)).handshake()
    assert "CRL" in caught.value.verify_message


def test_versions():
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.minimum_version = tls.TLSVersion.TLSv1_3
    assert context.minimum_version is tls.TLSVersion.TLSv1_3
    context.minimum_version = tls.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = tls.TLSVersion.TLSv1_2
    assert context.maximum_version == tls.TLSVersion.TLSv1_2
    context.maximum_version = tls.TLSVersion.MAXIMUM_SUPPORTED
    assert context.maximum_version == tls.TLSVersion.MAXIMUM_SUPPORTED
    for value in (5, 0x0305, -3):
        with pytest.raises(ValueError):
            context.minimum_version = value
    with pytest.raises(TypeError):
        context.maximum_version = None


def test_ciphers(certificates):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert "TLS_AES_256_GCM_SHA384" in names
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" in names
    assert not [name for name in names if "RC4" in name or "NULL" in name or "DES" in name]
    context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert "ECDHE-RSA-AES256-GCM-SHA384" in names
    assert "ECDHE-ECDSA-AES128-GCM-SHA256" not in names
    described = [c for c in context.get_ciphers() if c["name"] == "ECDHE-RSA-AES256-GCM-SHA384"][0]
    assert described["protocol"] == "TLSv1.2"
    assert described["strength_bits"] == described["alg_bits"] == 256
    assert described["aead"] is True
    assert described["auth"] == "auth-rsa"
    assert described["kea"] == "kx-ecdhe"


def test_the_cipher_that_was_set_is_used(certificates):
    client = client_context(certificates, tls.TLSVersion.TLSv1_2)
    client.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
    pair = MemoryPair(client, server_context(certificates.localhost)).handshake()
    assert pair.client.cipher() == ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2", 256)


def test_ciphersuites_of_tls_1_3(certificates):
    client = client_context(certificates)
    client.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256")
    pair = MemoryPair(client, server_context(certificates.localhost)).handshake()
    assert pair.client.cipher() == ("TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3", 256)


def test_security_level_and_tickets():
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    assert context.security_level >= 1
    assert context.num_tickets == 2
    context.num_tickets = 0
    assert context.num_tickets == 0
    with pytest.raises(ValueError):
        context.num_tickets = -1


def test_hostname_checks_common_name():
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    assert context.hostname_checks_common_name in (True, False)
    for value in (True, False):
        context.hostname_checks_common_name = value
        assert context.hostname_checks_common_name is value


def test_session_statistics(certificates):
    server = server_context(certificates.localhost)
    zero = server.session_stats()
    assert sorted(zero) == [
        "accept", "accept_good", "accept_renegotiate", "cache_full", "connect", "connect_good",
        "connect_renegotiate", "hits", "misses", "number", "timeouts",
    ]  # fmt: skip
    assert set(zero.values()) == set([0])
    MemoryPair(client_context(certificates), server).handshake()
    assert server.session_stats()["accept_good"] == 1


def test_default_verify_paths():
    paths = tls.get_default_verify_paths()
    assert paths.openssl_cafile_env == "SSL_CERT_FILE"
    assert paths.openssl_capath_env == "SSL_CERT_DIR"
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    assert context.set_default_verify_paths() is None


def test_default_certificates_follow_the_environment(certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority.certificate))
    monkeypatch.setenv("SSL_CERT_DIR", str(certificates.directory))
    client = tls.create_default_context()
    MemoryPair(client, server_context(certificates.localhost)).handshake()


def test_a_key_log_is_written(certificates, version, tmpdir):
    path = str(tmpdir.join("keys"))
    client = client_context(certificates, version)
    assert client.keylog_filename is None
    client.keylog_filename = path
    assert client.keylog_filename == path
    MemoryPair(client, server_context(certificates.localhost, version)).handshake()
    client.keylog_filename = None
    lines = [line for line in read_file(path).decode("ascii").splitlines() if line[:1] != "#"]
    labels = set(line.split()[0] for line in lines)
    if version == tls.TLSVersion.TLSv1_2:
        assert labels == set(["CLIENT_RANDOM"])
    else:
        assert "CLIENT_TRAFFIC_SECRET_0" in labels


def test_messages_are_shown_to_a_callback(certificates, version):
    seen = []
    client = client_context(certificates, version)
    client._msg_callback = lambda *arguments: seen.append(arguments)
    MemoryPair(client, server_context(certificates.localhost, version)).handshake()
    directions = [arguments[1] for arguments in seen]
    assert "write" in directions and "read" in directions


def test_contexts_are_freed_even_in_cycles():
    def in_a_cycle():
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        context.sni_callback = lambda *unused: context
        return weakref.ref(context)

    reference = in_a_cycle()
    gc.collect()
    assert reference() is None


def test_subclasses(certificates, version):
    class Context(tls.SSLContext):
        def __init__(self, protocol):
            self.made = protocol

    class Object(tls.SSLObject):
        pass

    context = Context(tls.PROTOCOL_TLS_CLIENT)
    assert context.made == tls.PROTOCOL_TLS_CLIENT
    context.load_verify_locations(certificates.authority.certificate)
    context.sslobject_class = Object
    pair = MemoryPair(context, server_context(certificates.localhost, version)).handshake()
    assert type(pair.client) is Object


@pytest.mark.parametrize("attribute, name", [("sslobject_class", "SSLObject"), ("sslsocket_class", "SSLSocket")])
def test_the_class_of_connections_is_looked_for_once(attribute, name):
    found = getattr(tls.SSLContext, attribute)
    assert found is getattr(tls, name)
    assert vars(tls.SSLContext)[attribute] is found


def test_properties_can_be_reached_through_super():
    # truststore, inside pip 24.2 and later, sets properties of the base class this way.
    class Context(tls.SSLContext):
        @property
        def verify_mode(self):
            return tls.SSLContext.verify_mode.__get__(self)

    context = Context(tls.PROTOCOL_TLS_CLIENT)
    super(tls.SSLContext, tls.SSLContext).check_hostname.__set__(context, False)
    super(tls.SSLContext, tls.SSLContext).verify_mode.__set__(context, tls.CERT_NONE)
    assert context.verify_mode == tls.CERT_NONE
    super(tls.SSLContext, tls.SSLContext).minimum_version.__set__(
        context, tls.TLSVersion.TLSv1_3
    )
    assert context.minimum_version == tls.TLSVersion.TLSv1_3


def test_wrap_socket_refuses_contradictions(certificates):
    context = server_context(certificates.localhost)
    bare = socket.socket()
    try:
        with pytest.raises(ValueError):
            context.wrap_socket(bare, server_side=True, server_hostname="localhost")
    finally:
        bare.close()
