# SPDX-License-Identifier: Apache-2.0
"""What SSLSocket and SSLObject do alike with a connection of the C half.

Neither needs the module of the other: a program that has sockets only never imports _object.
"""

from . import _core, _late
from ._compat import bytes_argument, environment

if environment("TLS_BOOTSTRAP_TRACE"):  # hardly ever: what it needs is not worth a tenth of this import
    from ._trace import handshake_completed
else:
    handshake_completed = None


class _DERCertificate(bytes):
    """The DER bytes of a certificate of a chain.

    Programs of the time when the chain was private to CPython (3.10 to 3.12) take the bytes by
    public_bytes(), later ones take the element itself.
    """

    __slots__ = ()

    def public_bytes(self, format=_core.ENCODING_PEM):
        """The certificate as PEM text or DER bytes."""
        if format == _core.ENCODING_DER:
            return bytes(self)
        if format == _core.ENCODING_PEM:
            return _late.load("_certificates").DER_cert_to_PEM_cert(self)
        raise ValueError("Unsupported format")


def der_chain(chain):
    """A list of DER bytes from the C half's list of certificates or None."""
    return [_DERCertificate(each.public_bytes(_core.ENCODING_DER)) for each in chain or ()]


def tell_names(error, connection):
    """Adds to a verification error which names the certificate has, where that is what was wrong."""
    try:
        hostname = _late.load("_hostname")
    except ImportError:
        return  # replaced by an upgrade: the error says enough
    hostname.tell_names(error, connection)


_core.set_handshake_hooks(handshake_completed, tell_names)


def channel_binding(connection, cb_type):
    """get_channel_binding() of a connection of the C half, which may be None."""
    if cb_type not in _late.load("_constants").CHANNEL_BINDING_TYPES:
        raise ValueError("%s channel binding type not implemented" % (cb_type,))
    return None if connection is None else connection.get_channel_binding(str(cb_type))


def exported_keying_material(connection, label, length, context):
    """export_keying_material() of a connection of the C half."""
    return connection.export_keying_material(
        bytes_argument(label, "label"),
        length,
        None if context is None else bytes_argument(context, "context"),
    )
