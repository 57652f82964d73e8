# SPDX-License-Identifier: Apache-2.0
"""Less common features: TLS inside TLS, pre-shared keys, authentication after the handshake."""

import pytest

import _tls_bootstrap as tls
from peers import MemoryPair, Server, client_context, hang_up, read_all, server_context


class TestTlsInsideTls(object):
    """What pip does through an https proxy: a connection over MemoryBIOs within another one."""

    def test_in_memory(self, certificates, version):
        outer = MemoryPair(
            client_context(certificates, version), server_context(certificates.localhost, version)
        ).handshake()
        inner = MemoryPair(
            client_context(certificates, version), server_context(certificates.chain, version)
        )
        done = set()
        while len(done) < 2:
            for end in (inner.client, inner.server):
                try:
                    if end not in done:
                        end.do_handshake()
                        done.add(end)
                except tls.SSLWantReadError:
                    pass
                # Each flight goes through the outer connection.
                for queue, sender, receiver in (
                    (inner.to_server, outer.client, outer.server),
                    (inner.to_client, outer.server, outer.client),
                ):
                    flight = queue.read()
                    if flight:
                        queue.write(outer.send(sender, receiver, flight))
        inner.client.write(b"two layers")
        assert inner.server.read(100) == b"two layers"

    def test_over_a_socket(self, certificates, version):
        def proxy(connection):
            inner = MemoryPair(client_context(certificates), server_context(certificates.chain, version))
            while True:
                try:
                    inner.server.do_handshake()
                    break
                except tls.SSLWantReadError:
                    connection.sendall(inner.to_client.read())
                    inner.to_server.write(connection.recv(65536))
            connection.sendall(inner.to_client.read())
            while True:
                try:
                    return inner.server.read(100)
                except tls.SSLWantReadError:
                    inner.to_server.write(connection.recv(65536))

        with Server(proxy, server_context(certificates.localhost, version)) as server:
            outer = client_context(certificates, version).wrap_socket(
                server.connect(), server_hostname="localhost"
            )
            incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
            client = client_context(certificates, version).wrap_bio(
                incoming, outgoing, server_hostname="localhost"
            )
            while True:
                try:
                    client.do_handshake()
                    break
                except tls.SSLWantReadError:
                    outer.sendall(outgoing.read())
                    incoming.write(outer.recv(65536))
            client.write(b"through the proxy")
            outer.sendall(outgoing.read())
            hang_up(outer)
        assert server.results == [b"through the proxy"]


class TestPreSharedKeys(object):
    KEY = b"k" * 32

    def contexts(self, version):
        client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = tls.CERT_NONE
        server = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        for context in (client, server):
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("PSK")
        return client, server

    def test_both_ends_know_the_key(self, version):
        client, server = self.contexts(version)
        seen = []
        client.set_psk_client_callback(lambda hint: ("me", self.KEY))
        server.set_psk_server_callback(lambda identity: seen.append(identity) or self.KEY)
        pair = MemoryPair(client, server).handshake()
        assert seen == ["me"]
        assert pair.send(pair.client, pair.server, b"no certificates") == b"no certificates"

    def test_the_hint_reaches_the_client(self):
        client, server = self.contexts(tls.TLSVersion.TLSv1_2)
        hints = []
        client.set_psk_client_callback(lambda hint: (hints.append(hint), ("me", self.KEY))[1])
        server.set_psk_server_callback(lambda identity: self.KEY, "try this")
        MemoryPair(client, server).handshake()
        assert hints == ["try this"]

    def test_different_keys_do_not_connect(self, version):
        client, server = self.contexts(version)
        client.set_psk_client_callback(lambda hint: ("me", self.KEY))
        server.set_psk_server_callback(lambda identity: b"x" * 32)
        with pytest.raises(tls.SSLError):
            MemoryPair(client, server).handshake()

    def test_callbacks_are_checked(self):
        client, server = self.contexts(tls.TLSVersion.TLSv1_2)
        with pytest.raises(TypeError):
            client.set_psk_client_callback(5)
        with pytest.raises(tls.SSLError):
            server.set_psk_client_callback(lambda hint: None)
        with pytest.raises(tls.SSLError):
            client.set_psk_server_callback(lambda identity: None)


class TestAuthenticationAfterTheHandshake(object):
    def pair(self, certificates, announce=True, certificate=True):
        client = client_context(certificates)
        client.post_handshake_auth = announce
        if certificate:
            client.load_cert_chain(certificates.client.certificate, certificates.client.key)
        server = server_context(certificates.localhost)
        server.post_handshake_auth = True
        server.verify_mode = tls.CERT_REQUIRED
        server.load_verify_locations(certificates.authority.certificate)
        return MemoryPair(client, server).handshake()

    def test_the_server_asks_later(self, certificates):
        pair = self.pair(certificates)
        assert pair.server.getpeercert() is None
        pair.server.verify_client_post_handshake()
        pair.server.write(b"who are you?")
        assert pair.client.read(100) == b"who are you?"
        pair.client.write(b"here")
        assert pair.server.read(100) == b"here"
        assert pair.server.getpeercert()["subjectAltName"] == (("email", "client@example.org"),)

    def test_a_client_that_did_not_announce_it_is_not_asked(self, certificates):
        pair = self.pair(certificates, announce=False)
        with pytest.raises(tls.SSLError) as caught:
            pair.server.verify_client_post_handshake()
        assert caught.value.reason == "EXTENSION_NOT_RECEIVED"

    def test_a_client_without_certificate_is_refused(self, certificates):
        pair = self.pair(certificates, certificate=False)
        pair.server.verify_client_post_handshake()
        pair.server.write(b"who are you?")
        assert pair.client.read(100) == b"who are you?"
        with pytest.raises(tls.SSLError) as caught:
            pair.server.read(100)
        assert caught.value.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"

    def test_clients_do_not_ask(self, certificates):
        with pytest.raises(tls.SSLError):
            self.pair(certificates).client.verify_client_post_handshake()


def test_renegotiation_by_the_client_is_refused(certificates):
    # The command line client asks for it with an R; the connection must not survive the request silently
    # as a new handshake.
    import subprocess

    with Server(
        read_all, server_context(certificates.localhost, tls.TLSVersion.TLSv1_2), may_fail=True
    ) as server:
        process = subprocess.Popen(
            ["openssl", "s_client", "-connect", "%s:%d" % server.address, "-tls1_2", "-legacy_renegotiation"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = process.communicate(b"R\n")[0].decode("utf-8", "replace")
    assert "RENEGOTIATING" in output
    assert "no renegotiation" in output.lower()
