# SPDX-License-Identifier: Apache-2.0
"""A TLS server for the tests of upgrades under load: echoes lines, and serves one wheel whose second half waits for a word.

    python busy_server.py AUTHORITY     (with a built tree on PYTHONPATH)

Prints its port; a line on standard input lets waiting downloads go on; the end of input ends it.
"""

import hashlib
import io
import socket
import sys
import tempfile
import threading
import zipfile

import _tls_bootstrap as tls
from _tls_bootstrap import _core

PROJECT = "slow"
go_on = threading.Event()
begun = threading.Event()


def wheel():
    """A valid wheel of 200 kB that installs one module."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("slow.py", "text = %r\n" % ("x" * 200000))
        archive.writestr("slow-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: slow\nVersion: 1\n")
        tags = "Tag: py2-none-any\nTag: py3-none-any\n"
        archive.writestr("slow-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n" + tags)
        archive.writestr("slow-1.dist-info/RECORD", "")
    return stream.getvalue()


CONTENT = wheel()
NAME = "slow-1-py2.py3-none-any.whl"


def serve_http(connection, request):
    path = request.split()[1].rstrip("/")
    if path.endswith(NAME):
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        half = len(CONTENT) // 2
        connection.sendall((head % len(CONTENT)).encode() + CONTENT[:half])
        begun.set()
        go_on.wait()
        connection.sendall(CONTENT[half:])
    else:
        link = '<a href="/files/%s#sha256=%s">%s</a>' % (NAME, hashlib.sha256(CONTENT).hexdigest(), NAME)
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(link)
        connection.sendall((head + link).encode())


def serve(context, plain):
    try:
        with context.wrap_socket(plain, server_side=True) as connection:
            stream = connection.makefile("rb")
            for line in stream:
                text = line.decode("ascii", "replace")
                if text.startswith("GET "):
                    while stream.readline().strip():
                        pass
                    serve_http(connection, text)
                    return
                connection.sendall(line)
    except OSError as error:
        print("connection ended: %s" % error, file=sys.stderr)


def listen(context, listener):
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=serve, args=(context, plain), daemon=True).start()


def main():
    authority, certificate, key = _core.make_throwaway_chain(["localhost", "127.0.0.1"], 7)
    with open(sys.argv[1], "wb") as stream:
        stream.write(authority)
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(key + certificate)
        pair.flush()
        context.load_cert_chain(pair.name)
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    threading.Thread(target=listen, args=(context, listener), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        if line.strip() == "begun":
            begun.wait(60)
            print("begun", flush=True)
        else:
            go_on.set()


main()
