# SPDX-License-Identifier: Apache-2.0
"""TLS connections in memory: SSLObject over MemoryBIOs, both versions, client and server."""

import gc
import re
import weakref

import pytest

import _tls_bootstrap as tls
from peers import MemoryPair, client_context, server_context


def pair_of(certificates, version, **keywords):
    return MemoryPair(
        client_context(certificates, version),
        server_context(certificates.localhost, version),
        **keywords
    )


def test_both_ends_agree_on_the_connection(certificates, version):
    pair = pair_of(certificates, version).handshake()
    name = {tls.TLSVersion.TLSv1_2: "TLSv1.2", tls.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    assert pair.client.version() == pair.server.version() == name
    assert pair.client.cipher() == pair.server.cipher()
    suite, protocol, bits = pair.client.cipher()
    assert bits >= 128 and suite
    assert protocol == name
    assert pair.client.compression() is None
    assert not pair.client.server_side
    assert pair.server.server_side
    assert pair.client.server_hostname == "localhost"
    assert pair.server.server_hostname is None


def test_ends_know_nothing_before_the_handshake(certificates, version):
    pair = pair_of(certificates, version)
    assert pair.client.cipher() is None
    assert pair.client.version() is None
    assert pair.server.shared_ciphers() is None
    with pytest.raises(ValueError) as caught:
        pair.client.getpeercert()
    assert "handshake not done yet" in str(caught.value)
    with pytest.raises(tls.SSLWantReadError) as wanted:
        pair.client.do_handshake()
    assert wanted.value.errno == tls.SSL_ERROR_WANT_READ


@pytest.mark.parametrize("size", [1, 100, 16384, 16385, 300000])
def test_data_arrives_unchanged_both_ways(certificates, version, size):
    pair = pair_of(certificates, version).handshake()
    data = bytes(bytearray(i * 7 % 256 for i in range(size)))
    assert pair.send(pair.client, pair.server, data) == data
    assert pair.send(pair.server, pair.client, data) == data


def test_read_into_a_buffer(certificates, version):
    pair = pair_of(certificates, version).handshake()
    pair.server.write(b"0123456789")
    buffer = bytearray(b"." * 8)
    assert pair.client.read(4, buffer) == 4
    assert buffer == b"0123...."
    assert pair.client.pending() == 6
    view = memoryview(buffer)
    assert pair.client.read(100, view[4:]) == 4
    assert buffer == b"01234567"
    assert pair.client.read() == b"89"


def test_reading_zero_bytes_and_writing_none(certificates, version):
    pair = pair_of(certificates, version).handshake()
    assert pair.client.read(0) == b""
    assert pair.client.write(b"") == 0


def test_a_read_only_buffer_is_refused(certificates, version):
    pair = pair_of(certificates, version).handshake()
    pair.server.write(b"data")
    with pytest.raises((TypeError, BufferError)):
        pair.client.read(4, memoryview(b"fixed"))
    assert pair.client.read(4) == b"data"


def test_text_is_not_written(certificates, version):
    pair = pair_of(certificates, version).handshake()
    with pytest.raises(TypeError):
        pair.client.write(u"text")


def test_unwrap_is_a_close_notify_on_both_ends(certificates, version):
    pair = pair_of(certificates, version).handshake()
    with pytest.raises(tls.SSLWantReadError):
        pair.client.unwrap()
    assert pair.server.read(1) == b""
    pair.server.unwrap()
    pair.client.unwrap()


def test_end_of_file_without_close_notify_is_an_error(certificates, version):
    pair = pair_of(certificates, version).handshake()
    pair.to_client.write_eof()
    with pytest.raises(tls.SSLEOFError) as ended:
        pair.client.read(1)
    assert ended.value.errno == tls.SSL_ERROR_EOF


def test_shared_ciphers_are_what_both_offer(certificates, version):
    pair = pair_of(certificates, version).handshake()
    shared = pair.server.shared_ciphers()
    assert pair.server.cipher()[0] in [name for name, _, _ in shared]
    # A client, which never learns what the server has, tells what it offered, as in 3.6.
    assert set(shared) <= set(pair.client.shared_ciphers())


def test_versions_that_do_not_overlap_fail_on_both_ends(certificates):
    pair = MemoryPair(
        client_context(certificates, tls.TLSVersion.TLSv1_3),
        server_context(certificates.localhost, tls.TLSVersion.TLSv1_2),
    )
    with pytest.raises(tls.SSLWantReadError):
        pair.client.do_handshake()
    with pytest.raises(tls.SSLError) as server_error:
        pair.server.do_handshake()
    assert server_error.value.reason == "UNSUPPORTED_PROTOCOL"
    with pytest.raises(tls.SSLError) as client_error:
        pair.client.do_handshake()
    assert client_error.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"
    # Whose rule it is stands in the text, behind all that `ssl` has there too; the system's OpenSSL has the system's rules.
    for error in (server_error.value, client_error.value):
        text, _, hint = error.strerror.partition("; ")
        assert re.search(r"^\[SSL: %s\] .* \(_ssl\.c:\d+\)$" % error.reason, text)
        assert hint.endswith("MinProtocol and MaxProtocol in /etc/tls-bootstrap/openssl.cnf") == (tls._core.flavour == "bundled")


def test_plain_http_is_told_apart(certificates):
    incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
    server = server_context(certificates.localhost).wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(b"GET / HTTP/1.0\r\n\r\n")
    with pytest.raises(tls.SSLError) as caught:
        server.do_handshake()
    assert (caught.value.library, caught.value.reason) == ("SSL", "HTTP_REQUEST")


def test_an_answer_that_is_not_tls(certificates):
    incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
    client = client_context(certificates).wrap_bio(incoming, outgoing, server_hostname="localhost")
    incoming.write(b"220 mail.example ESMTP\r\n")
    with pytest.raises(tls.SSLError) as caught:
        client.do_handshake()
    assert caught.value.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG")


def test_objects_are_freed_and_do_not_keep_their_context(certificates, version):
    context = client_context(certificates, version)
    pair = MemoryPair(context, server_context(certificates.localhost, version)).handshake()
    references = [weakref.ref(pair.client), weakref.ref(context)]
    del pair, context
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_the_bios_may_be_dropped_before_the_object(certificates, version):
    pair = pair_of(certificates, version).handshake()
    client, server = pair.client, pair.server
    del pair
    gc.collect()
    client.write(b"still there")
    assert server.read(100) == b"still there"


@pytest.mark.parametrize("name", ["", ".example.org"])
def test_impossible_host_names_are_refused(certificates, name):
    with pytest.raises(ValueError):
        pair_of(certificates, None, server_hostname=name)


@pytest.mark.parametrize("name", ["localhost\0.example.org", u"localhost\0.example.org"])
def test_a_host_name_with_an_embedded_nul_is_refused(certificates, name):
    with pytest.raises((ValueError, TypeError)):
        pair_of(certificates, None, server_hostname=name)


def test_an_address_is_checked_as_an_address(certificates, version):
    for name in ("127.0.0.1", "::1"):
        pair_of(certificates, version, server_hostname=name).handshake()
    with pytest.raises(tls.SSLCertVerificationError) as caught:
        pair_of(certificates, version, server_hostname="127.0.0.2").handshake()
    assert "IP address mismatch" in caught.value.verify_message


def test_ssl_object_cannot_be_made_without_a_context():
    with pytest.raises(TypeError):
        tls.SSLObject()
