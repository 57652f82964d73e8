# SPDX-License-Identifier: Apache-2.0
"""Session resumption (ssl documentation, "TLS/SSL session")."""

import pytest

import heap
import _tls_bootstrap as tls
from peers import MemoryPair, Server, client_context, echo, hang_up, server_context


@pytest.fixture
def contexts(certificates, version):
    return client_context(certificates, version), server_context(certificates.localhost, version)


def test_a_session_is_resumed(contexts):
    client, server = contexts
    first = MemoryPair(client, server).handshake()
    assert not first.client.session_reused
    session = first.client.session
    assert session.has_ticket
    assert session.timeout > 0
    assert session.time > 0
    assert session.ticket_lifetime_hint > 0
    second = MemoryPair(client, server, session=session).handshake()
    assert second.client.session_reused
    assert second.server.session_reused
    third = MemoryPair(client, server).handshake()
    assert not third.client.session_reused
    assert server.session_stats()["hits"] == 1


def test_a_session_may_be_set_before_the_handshake(contexts):
    client, server = contexts
    session = MemoryPair(client, server).handshake().client.session
    pair = MemoryPair(client, server)
    pair.client.session = session
    pair.handshake()
    assert pair.client.session_reused
    with pytest.raises(ValueError):
        pair.client.session = session


def test_without_tickets(certificates):
    version = tls.TLSVersion.TLSv1_2
    client = client_context(certificates, version)
    server = server_context(certificates.localhost, version)
    server.options |= tls.OP_NO_TICKET
    # The first connection stays: one that is dropped without unwrap() takes its session along.
    first = MemoryPair(client, server).handshake()
    session = first.client.session
    assert not session.has_ticket
    assert session.id
    pair = MemoryPair(client, server, session=session).handshake()
    assert pair.client.session_reused
    assert pair.client.session.id == session.id


def test_a_session_belongs_to_its_context(certificates, contexts):
    client, server = contexts
    session = MemoryPair(client, server).handshake().client.session
    with pytest.raises(ValueError):
        MemoryPair(client_context(certificates), server, session=session)


def test_only_clients_set_a_session(contexts):
    client, server = contexts
    session = MemoryPair(client, server).handshake().client.session
    pair = MemoryPair(client, server)
    with pytest.raises(ValueError):
        pair.server.session = session
    with pytest.raises(TypeError):
        pair.client.session = "a session"


def test_sessions_compare_by_identifier(contexts):
    client, server = contexts
    pair = MemoryPair(client, server).handshake()
    other = MemoryPair(client, server).handshake()
    assert pair.client.session == pair.client.session
    assert pair.client.session != other.client.session
    assert pair.client.session != "a session"


def test_sessions_cannot_be_made():
    with pytest.raises(TypeError):
        tls.SSLSession()


def test_a_session_is_shared_and_not_copied(contexts):
    end = MemoryPair(*contexts).handshake().client
    end.session
    before = heap.allocated()
    kept = [end.session for _ in range(1000)]
    assert heap.allocated() - before < 1000 * 200
    assert len(set(map(id, kept))) == 1000  # these are objects of their own around it


def test_over_sockets(certificates, contexts):
    client, server = contexts
    session = None
    with Server(echo, server, connections=2) as thread:
        for expected in (False, True):
            connection = client.wrap_socket(
                thread.connect(), server_hostname="localhost", session=session
            )
            connection.sendall(b"x")
            # The tickets of TLS 1.3 arrive with the first data.
            assert connection.recv(1) == b"x"
            assert connection.session_reused is expected
            session = connection.session
            hang_up(connection)
