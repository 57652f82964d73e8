# SPDX-License-Identifier: Apache-2.0
"""Values that both ends of one connection, and nobody else, can compute."""

import pytest

import _tls_bootstrap as tls
from peers import MemoryPair, Server, client_context, hang_up, server_context

LABEL = b"EXPORTER-tests-unit"


@pytest.mark.parametrize("context", [None, b"", b"nonce", b"\0" * 500])
def test_both_ends_export_the_same(pair, context):
    value = pair.client.export_keying_material(LABEL, 32, context)
    assert type(value) is bytes and len(value) == 32
    assert pair.server.export_keying_material(LABEL, 32, context) == value


def test_labels_contexts_and_lengths_matter(pair):
    export = pair.client.export_keying_material
    values = [
        export(LABEL, 32, b"one"),
        export(LABEL, 32, b"two"),
        export(LABEL + b"2", 32, b"one"),
        export(LABEL, 32),
    ]
    assert len(set(values)) == 4
    assert len(export(LABEL, 100)) == 100


def test_another_connection_exports_something_else(certificates, version, pair):
    other = MemoryPair(
        client_context(certificates, version), server_context(certificates.localhost, version)
    ).handshake()
    assert other.client.export_keying_material(LABEL, 32) != pair.client.export_keying_material(LABEL, 32)


def test_an_absent_context_is_not_an_empty_one_in_tls_1_2(pair, version):
    # RFC 5705, section 4: distinct with TLS 1.2; RFC 8446, section 7.5: the same with TLS 1.3.
    absent = pair.client.export_keying_material(LABEL, 32)
    empty = pair.client.export_keying_material(LABEL, 32, b"")
    assert (absent == empty) == (version == tls.TLSVersion.TLSv1_3)
    assert pair.server.export_keying_material(LABEL, 32) == absent


def test_keywords(pair):
    value = pair.client.export_keying_material(label=LABEL, length=16, context=b"c")
    assert value == pair.server.export_keying_material(LABEL, 16, b"c")


def test_nothing_is_exported_before_the_handshake(certificates, version):
    fresh = MemoryPair(
        client_context(certificates, version), server_context(certificates.localhost, version)
    )
    with pytest.raises((ValueError, tls.SSLError)):
        fresh.client.export_keying_material(LABEL, 32)


@pytest.mark.parametrize("length", [-1, 0])
def test_impossible_lengths_are_refused(pair, length):
    with pytest.raises(ValueError):
        pair.client.export_keying_material(LABEL, length)


def test_over_sockets(certificates, version):
    def serve(connection):
        connection.recv(1)
        return connection.export_keying_material(LABEL, 32, b"nonce")

    with Server(serve, server_context(certificates.localhost, version)) as thread:
        client = client_context(certificates, version).wrap_socket(
            thread.connect(), server_hostname="localhost"
        )
        value = client.export_keying_material(LABEL, 32, b"nonce")
        client.sendall(b"x")
        hang_up(client)
    assert thread.results == [value]


def test_tls_unique_is_the_same_on_both_ends(pair):
    value = pair.client.get_channel_binding("tls-unique")
    assert value and value == pair.server.get_channel_binding()


def test_tls_exporter_binding(pair, version):
    # RFC 9266: 32 bytes, label EXPORTER-Channel-Binding, an empty context.
    value = pair.client.get_channel_binding("tls-exporter")
    assert value == pair.server.get_channel_binding("tls-exporter")
    assert value == pair.client.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")


def test_bindings_are_absent_before_the_handshake(certificates, version):
    fresh = MemoryPair(
        client_context(certificates, version), server_context(certificates.localhost, version)
    )
    assert fresh.client.get_channel_binding("tls-unique") is None


def test_unknown_bindings_are_refused(pair):
    with pytest.raises(ValueError):
        pair.client.get_channel_binding("no-such-binding")
    assert "tls-unique" in tls.CHANNEL_BINDING_TYPES
