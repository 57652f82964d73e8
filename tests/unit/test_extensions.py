# SPDX-License-Identifier: Apache-2.0
"""What is negotiated by TLS extensions: server names, application protocols, groups."""

import pytest

import _tls_bootstrap as tls
from peers import MemoryPair, Server, client_context, echo, hang_up, server_context

BEFORE_3_5 = tls._core.flavour == "system" and tls.OPENSSL_VERSION_INFO < (3, 5)


class TestServerNames(object):
    def test_the_server_sees_the_name(self, certificates, version):
        seen = []
        server = server_context(certificates.localhost, version)
        server.sni_callback = lambda connection, name, context: seen.append(
            (connection, name, context)
        )
        pair = MemoryPair(client_context(certificates, version), server).handshake()
        assert seen == [(pair.server, "localhost", server)]
        assert type(seen[0][1]) is str

    def test_the_server_sees_no_name_for_none_or_an_address(self, certificates, version):
        seen = []
        server = server_context(certificates.localhost, version)
        server.sni_callback = lambda connection, name, context: seen.append(name)
        client = client_context(certificates, version)
        MemoryPair(client, server, "127.0.0.1").handshake()
        client.check_hostname = False
        MemoryPair(client, server, None).handshake()
        assert seen == [None, None]

    def test_the_server_may_change_the_context(self, certificates, version):
        first = server_context(certificates.wrong_host, version)
        second = server_context(certificates.localhost, version)

        def choose(connection, name, context):
            if name == "localhost":
                connection.context = second

        first.sni_callback = choose
        pair = MemoryPair(client_context(certificates, version), first).handshake()
        assert pair.server.context is second
        assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", "localhost")
        with pytest.raises(tls.SSLCertVerificationError):
            MemoryPair(client_context(certificates, version), first, "127.0.0.1").handshake()

    def test_the_server_may_refuse(self, certificates, version):
        server = server_context(certificates.localhost, version)
        server.sni_callback = lambda *unused: tls.ALERT_DESCRIPTION_ACCESS_DENIED
        pair = MemoryPair(client_context(certificates, version), server)
        with pytest.raises(tls.SSLWantReadError):
            pair.client.do_handshake()
        with pytest.raises(tls.SSLError):
            pair.server.do_handshake()
        with pytest.raises(tls.SSLError) as caught:
            pair.client.do_handshake()
        assert caught.value.reason == "TLSV1_ALERT_ACCESS_DENIED"

    @pytest.mark.parametrize("result", ["fail", "text"])
    def test_a_broken_callback_ends_the_handshake(self, certificates, version, result, capfd):
        def broken(*unused):
            if result == "fail":
                raise ZeroDivisionError("from the callback")
            return "not a number"

        server = server_context(certificates.localhost, version)
        server.sni_callback = broken
        pair = MemoryPair(client_context(certificates, version), server)
        with pytest.raises(tls.SSLWantReadError):
            pair.client.do_handshake()
        with pytest.raises((tls.SSLError, ZeroDivisionError, TypeError)):
            pair.server.do_handshake()
        with pytest.raises(tls.SSLError) as caught:
            pair.client.do_handshake()
        expected = "SSLV3_ALERT_HANDSHAKE_FAILURE" if result == "fail" else "TLSV1_ALERT_INTERNAL_ERROR"
        assert caught.value.reason == expected

    def test_set_servername_callback(self, certificates, version):
        seen = []
        server = server_context(certificates.localhost, version)
        server.set_servername_callback(lambda connection, name, context: seen.append(name))
        MemoryPair(client_context(certificates, version), server).handshake()
        server.set_servername_callback(None)
        MemoryPair(client_context(certificates, version), server).handshake()
        assert seen == ["localhost"]
        with pytest.raises(TypeError):
            server.set_servername_callback(5)

    def test_over_sockets(self, certificates, version):
        seen = []
        server = server_context(certificates.localhost, version)
        server.sni_callback = lambda connection, name, context: seen.append(
            (type(connection), name)
        )
        with Server(echo, server) as thread:
            client = client_context(certificates, version).wrap_socket(
                thread.connect(), server_hostname="localhost"
            )
            hang_up(client)
        assert seen == [(tls.SSLSocket, "localhost")]


class TestApplicationProtocols(object):
    CASES = [
        (["h2", "http/1.1"], ["http/1.1", "h2"], "http/1.1"),
        (["h2"], ["h2"], "h2"),
        (["h2"], ["other"], None),
        (["h2"], None, None),
        (None, ["h2"], None),
    ]

    @pytest.mark.parametrize("client_side, server_side, expected", CASES)
    def test_both_ends_agree(self, certificates, version, client_side, server_side, expected):
        client = client_context(certificates, version)
        server = server_context(certificates.localhost, version)
        if client_side:
            client.set_alpn_protocols(client_side)
        if server_side:
            server.set_alpn_protocols(server_side)
        pair = MemoryPair(client, server).handshake()
        assert pair.client.selected_alpn_protocol() == expected
        assert pair.server.selected_alpn_protocol() == expected
        assert pair.client.selected_npn_protocol() is None

    def test_bad_names_are_refused(self, certificates):
        client = client_context(certificates)
        for names in (["x" * 256], [""]):
            with pytest.raises(tls.SSLError):
                client.set_alpn_protocols(names)
        with pytest.raises(TypeError):
            client._set_alpn_protocols(u"h2")


@pytest.mark.skipif(BEFORE_3_5, reason="the system's OpenSSL has no X25519MLKEM768")
class TestGroups(object):
    def test_the_hybrid_group_is_preferred(self, certificates):
        pair = MemoryPair(client_context(certificates), server_context(certificates.localhost))
        pair.handshake()
        assert pair.client.group() == pair.server.group() == "X25519MLKEM768"

    def test_a_server_that_accepts_nothing_else(self, certificates):
        server = server_context(certificates.localhost)
        server.set_groups("X25519MLKEM768")
        pair = MemoryPair(client_context(certificates), server).handshake()
        assert pair.client.group() == "X25519MLKEM768"

    def test_a_client_without_it_fails_there(self, certificates):
        server = server_context(certificates.localhost)
        server.set_groups("X25519MLKEM768")
        client = client_context(certificates)
        client.set_groups("X25519:P-256")
        with pytest.raises(tls.SSLError):
            MemoryPair(client, server).handshake()

    def test_an_older_server_gets_a_classic_group(self, certificates, version):
        server = server_context(certificates.localhost, version)
        server.set_groups("P-256")
        pair = MemoryPair(client_context(certificates, version), server).handshake()
        assert pair.client.group() == pair.server.group()
        assert pair.client.group() in ("secp256r1", "prime256v1", "P-256")

    def test_the_list_of_groups(self, certificates):
        assert "X25519MLKEM768" in client_context(certificates).get_groups()
