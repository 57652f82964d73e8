# SPDX-License-Identifier: Apache-2.0
"""Lets several users of TLS work in one process and tells which OpenSSL each of them had.

    python neighbours.py CERTIFICATES STEP ...      (Python 2.7 and 3; PYTHONPATH finds `_tls_bootstrap`)

CERTIFICATES is a directory with ca.pem, certificate.pem and key.pem for "localhost". A STEP is ours, ssl, cryptography
or psycopg2; "ours+global" loads `_tls_bootstrap` with RTLD_GLOBAL. Each step imports its module and completes a
handshake; then all of them complete another, in the same order. Prints one JSON list of [step, OpenSSL, protocol].
"""

from __future__ import print_function

import json
import os
import struct
import sys
import threading

LIMIT = 30


def load_globally():
    """Loads `_tls_bootstrap` so that its file's names are there for every library loaded later."""
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL if hasattr(os, "RTLD_NOW") else 2 | 0x100)
    try:
        import _tls_bootstrap
    finally:
        sys.setdlopenflags(flags)
    return _tls_bootstrap


if sys.argv[2:3] == ["ours+global"]:
    load_globally()  # before 2.7's socket module, which loads _ssl

import socket  # noqa: E402


def path(name):
    return os.path.join(sys.argv[1], name)


def ssl_like(module):
    """A handshake over a socket pair by a module with the interface of ssl; (OpenSSL, protocol)."""
    protocol = getattr(module, "PROTOCOL_TLS_SERVER", module.PROTOCOL_SSLv23)
    server = module.SSLContext(protocol)
    server.load_cert_chain(path("certificate.pem"), path("key.pem"))
    client = module.create_default_context(cafile=path("ca.pem"))
    left, right = socket.socketpair()
    if sys.version_info[0] == 2:
        # 2.7's pairs are objects of the C type, which ssl cannot wrap.
        left, right = socket.socket(_sock=left), socket.socket(_sock=right)
    failures = []

    def serve():
        try:
            right.settimeout(LIMIT)
            end = server.wrap_socket(right, server_side=True)
            end.sendall(end.recv(100))
            end.close()
        except Exception as error:
            failures.append(repr(error))
            right.close()

    thread = threading.Thread(target=serve)
    thread.start()
    left.settimeout(LIMIT)
    try:
        end = client.wrap_socket(left, server_hostname="localhost")
        end.sendall(b"hello")
        assert end.recv(100) == b"hello"
        found = end.version()
        end.close()
    finally:
        left.close()
        thread.join(LIMIT)
    assert not failures, failures
    return module.OPENSSL_VERSION, found


def ours():
    import _tls_bootstrap

    return ssl_like(_tls_bootstrap)


def ours_global():
    return ssl_like(load_globally())


def standard():
    import ssl

    return ssl_like(ssl)


def cryptography():
    from OpenSSL import SSL

    client = SSL.Context(SSL.TLS_METHOD)
    client.load_verify_locations(path("ca.pem"))
    client.set_verify(SSL.VERIFY_PEER, lambda *arguments: bool(arguments[-1]))
    server = SSL.Context(SSL.TLS_METHOD)
    server.use_certificate_chain_file(path("certificate.pem"))
    server.use_privatekey_file(path("key.pem"))
    ends = [SSL.Connection(client, None), SSL.Connection(server, None)]
    ends[0].set_connect_state()
    ends[0].set_tlsext_host_name(b"localhost")
    ends[1].set_accept_state()
    waiting = list(ends)
    for _ in range(10):
        for end, other in (ends, ends[::-1]):
            try:
                if end in waiting:
                    end.do_handshake()
                    waiting.remove(end)
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(end.bio_read(65536))
            except SSL.WantReadError:
                pass
    assert not waiting
    ends[0].send(b"hello")
    ends[1].bio_write(ends[0].bio_read(65536))
    assert ends[1].recv(100) == b"hello"
    return SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii"), ends[0].get_protocol_version_name()


def psycopg2():
    """A connection to a stand-in for a server: it speaks PostgreSQL as far as the first message inside TLS.

    The stand-in's end of TLS is another process, so that it is no neighbour.
    """
    import subprocess

    import psycopg2

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    listener.settimeout(LIMIT)
    os.set_inheritable(listener.fileno(), True)
    server = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), sys.argv[1], "--postgres", str(listener.fileno())],
        close_fds=False,
        stdout=subprocess.PIPE,
        env=dict((name, value) for name, value in os.environ.items() if not name.startswith("LD_")),
    )
    try:
        psycopg2.connect(
            host="localhost",
            hostaddr="127.0.0.1",
            port=listener.getsockname()[1],
            user="u",
            dbname="d",
            sslmode="verify-full",
            sslrootcert=path("ca.pem"),
            connect_timeout=LIMIT,
        )
        raise AssertionError("the stand-in is no database")
    except psycopg2.OperationalError as error:
        text = str(error)
    finally:
        listener.close()
        protocol = server.communicate()[0].decode("ascii").strip()
    assert "said inside TLS" in text, text
    return mapped_openssl(), protocol


def serve_postgres(descriptor):
    import ssl

    connection = socket.socket(fileno=descriptor).accept()[0]
    connection.settimeout(LIMIT)
    assert struct.unpack("!ii", connection.recv(8)) == (8, 80877103)
    connection.sendall(b"S")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path("certificate.pem"), path("key.pem"))
    end = context.wrap_socket(connection, server_side=True)
    end.recv(1000)
    fields = b"SFATAL\0C28000\0Msaid inside TLS\0\0"
    end.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)
    print(end.version())
    end.close()


def mapped_openssl():
    """The version that psycopg2's own libcrypto gives itself."""
    import ctypes

    with open("/proc/self/maps") as stream:
        found = set(line.split()[-1] for line in stream if "psycopg2_binary.libs/libcrypto" in line)
    (name,) = found
    library = ctypes.CDLL(name, os.RTLD_NOW | os.RTLD_NOLOAD)
    library.OpenSSL_version.restype = ctypes.c_char_p
    return library.OpenSSL_version(0).decode("ascii")


STEPS = {"ours": ours, "ours+global": ours_global, "ssl": standard, "cryptography": cryptography, "psycopg2": psycopg2}


def main():
    if sys.argv[2] == "--postgres":
        return serve_postgres(int(sys.argv[3]))
    report = []
    for _ in range(2):
        for step in sys.argv[2:]:
            version, protocol = STEPS[step]()
            report.append([step, version, protocol])
    print(json.dumps(report))


if __name__ == "__main__":
    main()
