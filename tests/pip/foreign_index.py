# SPDX-License-Identifier: Apache-2.0
"""The check's loopback index with a TLS that is not ours: pyOpenSSL and the OpenSSL inside of cryptography.

Takes the place of children/index_server.py, whose own copy lies beside it as genuine_index_server.py: the protocol on
stdin and stdout, HTTP and what the kernel says about the client are that file's, everything of TLS is this one's.
"""

import base64
import datetime
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import genuine_index_server as genuine  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from OpenSSL import SSL  # noqa: E402

VERSIONS = {"TLSv1_2": SSL.TLS1_2_VERSION, "TLSv1_3": SSL.TLS1_3_VERSION}


def certificate(names, issuer=None, issuer_key=None):
    """(certificate, key) of an authority, or of a server below one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "foreign " + ("server" if issuer else "authority"))])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        # What VERIFY_X509_STRICT, the default of `ssl` from 3.13 on, wants to see.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()), critical=False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, issuer is None, False, False, False), critical=True)
    )
    if issuer:
        found = [x509.DNSName(name) for name in names if not name[0].isdigit()]
        builder = builder.add_extension(x509.SubjectAlternativeName(found), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key


def pem(made):
    return made.public_bytes(serialization.Encoding.PEM).decode("ascii")


class Connection:
    """A pyOpenSSL connection with the few methods that the genuine index calls."""

    def __init__(self, connection):
        self._connection = connection
        self.recv = connection.recv
        self.sendall = connection.sendall
        self.getsockname = connection.getsockname
        self.export_keying_material = connection.export_keying_material

    def version(self):
        return self._connection.get_protocol_version_name()

    def cipher(self):
        return (self._connection.get_cipher_name(),)

    def group(self):
        return self._connection.get_group_name()

    def extended_master_secret(self):
        return True  # OpenSSL agrees to it whenever it is offered, as every client since 1.1.0 does

    def unwrap(self):
        self._connection.shutdown()

    def close(self):
        self._connection.sock_shutdown(2)
        self._connection.close()


class Index(genuine.Index):
    def listen(self, name, version, certificate, key):
        outer = SSL.Context(SSL.TLS_SERVER_METHOD)
        outer.set_min_proto_version(VERSIONS[version])
        outer.set_max_proto_version(VERSIONS[version])
        outer.use_certificate(certificate)
        outer.use_privatekey(key)
        self.outer = outer
        self.module = self
        return super().listen(name, "any", None, None)

    # What the genuine listen() and _serve() take from the module `ssl` and its contexts.
    PROTOCOL_TLS_SERVER = None
    TLSVersion = {"any": None}

    def SSLContext(self, protocol):
        outer = self.outer

        class Context:
            def load_cert_chain(self, certificate, key):
                pass

            def wrap_socket(self, client, server_side):
                client.settimeout(None)
                connection = SSL.Connection(outer, client)
                connection.set_accept_state()
                connection.do_handshake()
                return Connection(connection)

        return Context()


def start(command):
    authority, authority_key = certificate([])
    server, key = certificate(command["names"], authority, authority_key)
    index = Index(None, {path: base64.b64decode(data) for path, data in command["files"].items()})
    ports = {name: index.listen(name, version, server, key) for name, version in command["listeners"].items()}
    return index, {"ports": ports, "authority": pem(authority), "stranger": pem(certificate([])[0])}


genuine.start = start
sys.path.insert(0, "")  # the genuine main() drops the first entry
genuine.main()
