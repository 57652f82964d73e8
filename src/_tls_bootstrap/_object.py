# SPDX-License-Identifier: Apache-2.0
"""TLS without a network (ssl documentation: "Memory BIO support"): SSLObject and MemoryBIO."""

from . import _core
from ._connection import channel_binding, der_chain, exported_keying_material

__all__ = ["MemoryBIO", "SSLObject", "SSLSession"]

SSLSession = _core.SSLSession


class MemoryBIO(_core.MemoryBIO):
    """A buffer in memory that passes data between a program and a TLS protocol instance."""

    __module__ = "_tls_bootstrap"
    __slots__ = ("__weakref__",)


class SSLObject(_core._SSLObject):
    """One TLS connection over a pair of MemoryBIO objects; made by SSLContext.wrap_bio().

    Nothing here does network I/O: an operation that needs more data raises SSLWantReadError, and
    whatever is to be sent is found in the outgoing MemoryBIO.  read(), write() and do_handshake() are the base's.
    """

    __module__ = "_tls_bootstrap"

    def __init__(self, sslobj, owner=None, session=None):
        """sslobj: a connection of the C half; programs call SSLContext.wrap_bio() instead."""
        if not isinstance(sslobj, _core._SSLSocket):
            raise TypeError(
                "%s does not have a public constructor. Instances are returned by SSLContext.wrap_bio()." % type(self).__name__
            )
        self._sslobj = sslobj
        sslobj.owner = self if owner is None else owner
        if session is not None:
            sslobj.session = session

    @property
    def context(self):
        """The SSLContext in use; a server may assign another one in its server name callback."""
        return self._sslobj.context

    @context.setter
    def context(self, context):
        self._sslobj.context = context

    @property
    def session(self):
        """The SSLSession of a client's connection, or None; may be assigned before the handshake."""
        return self._sslobj.session

    @session.setter
    def session(self, session):
        self._sslobj.session = session

    @property
    def session_reused(self):
        """Whether the session was resumed."""
        return self._sslobj.session_reused

    @property
    def server_side(self):
        """True for a server."""
        return self._sslobj.server_side

    @property
    def server_hostname(self):
        """The server's name in A-label form, or None."""
        return self._sslobj.server_hostname

    def getpeercert(self, binary_form=False):
        """The peer's certificate.

        Returns DER bytes if binary_form is true, else a dictionary, which is empty if the certificate
        was not verified; None without certificate.  Raises ValueError before the handshake is done.
        """
        return self._sslobj.getpeercert(binary_form)

    def get_verified_chain(self):
        """The chain up to the trust anchor, as DER bytes, leaf first (added in 3.13)."""
        return der_chain(self._sslobj.get_verified_chain())

    def get_unverified_chain(self):
        """The chain as the peer sent it, as DER bytes (added in 3.13)."""
        return der_chain(self._sslobj.get_unverified_chain())

    def selected_npn_protocol(self):
        """None: Next Protocol Negotiation is not supported."""
        return None

    def selected_alpn_protocol(self):
        """The protocol agreed upon by ALPN (RFC 7301) as str, or None."""
        return self._sslobj.selected_alpn_protocol()

    def cipher(self):
        """(name, protocol, secret bits) of the cipher suite in use, or None."""
        return self._sslobj.cipher()

    def shared_ciphers(self):
        """The cipher suites the client offers and this side knows, as a list like cipher()'s; None before the handshake."""
        return self._sslobj.shared_ciphers()

    def group(self):
        """The name of the group of the key exchange, or None (added in 3.15)."""
        return self._sslobj.group()

    def client_sigalg(self):
        """The signature algorithm the client authenticated with, or None (added in 3.15)."""
        return self._sslobj.client_sigalg()

    def server_sigalg(self):
        """The signature algorithm the server authenticated with, or None (added in 3.15)."""
        return self._sslobj.server_sigalg()

    def compression(self):
        """The name of the compression in use, or None."""
        return self._sslobj.compression()

    def pending(self):
        """How many decrypted bytes can be read without further input."""
        return self._sslobj.pending()

    def unwrap(self):
        """Starts or continues the closing handshake."""
        return self._sslobj.shutdown()

    def get_channel_binding(self, cb_type="tls-unique"):
        """The channel binding data as bytes, or None if there is none yet.

        cb_type: "tls-unique" (RFC 5929) or "tls-exporter" (RFC 9266); ValueError for other types.
        """
        return channel_binding(self._sslobj, cb_type)

    def export_keying_material(self, label, length, context=None):
        """Keying material both ends can compute (RFC 5705; RFC 8446 section 7.5); an addition.

        label: str or bytes; length: in bytes; context: bytes-like or None, which is not the same as
        empty in TLS 1.2.  Returns bytes.  Raises SSLError before the handshake is done.
        """
        return exported_keying_material(self._sslobj, label, length, context)

    def version(self):
        """The protocol as str, such as "TLSv1.3", or None before it is agreed upon."""
        return self._sslobj.version()

    def verify_client_post_handshake(self):
        """Asks a TLS 1.3 client for a certificate after the handshake."""
        return self._sslobj.verify_client_post_handshake()
