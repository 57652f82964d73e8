# SPDX-License-Identifier: Apache-2.0
"""Handshakes in memory for child interpreters: no test framework, no ssl, nothing but `_tls_bootstrap`."""

import os


def contexts(tls, directory):
    """(client, server) SSLContexts for the certificates in `directory`."""
    authority, certificate, key = [os.path.join(directory, name + ".pem") for name in ("ca", "certificate", "key")]
    server = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    return tls.create_default_context(cafile=authority), server


def connection(tls, directory):
    """(client, server) SSLObjects before their handshake."""
    client, server = contexts(tls, directory)
    to_server, to_client = tls.MemoryBIO(), tls.MemoryBIO()
    return (
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )


def step(tls, end):
    """Lets one end go on with its handshake; whether it is done."""
    try:
        end.do_handshake()
        return True
    except tls.SSLWantReadError:
        return False


def complete(tls, ends):
    """Completes the handshake and sends a message each way; the protocol."""
    for _ in range(6):
        if all([step(tls, end) for end in ends]):
            break
    else:
        raise AssertionError("the handshake does not end")
    for sender, receiver in (ends, ends[::-1]):
        sender.write(b"hello")
        try:
            received = receiver.read(10)
        except tls.SSLWantReadError:  # session tickets came first
            received = receiver.read(10)
        assert received == b"hello", received
    return ends[0].version()


def handshake(tls, directory):
    """A whole connection; the protocol."""
    return complete(tls, connection(tls, directory))
