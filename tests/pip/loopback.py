# SPDX-License-Identifier: Apache-2.0
"""A package index on loopback made with the test interpreter's own `ssl`, not with our code."""

from __future__ import annotations

import base64
import http.server
import ssl
import sys
import threading
from pathlib import Path

from toolkit.pip_matrix.files import pages

SOURCE = Path(__file__).resolve().parents[2]


def throwaway_chain() -> tuple[bytes, bytes, bytes]:
    """(authority, certificate, key) as PEM, for localhost."""
    sys.path.insert(0, str(SOURCE / "build" / "py3"))
    try:
        from _tls_bootstrap import _core
    finally:
        sys.path.pop(0)
    return _core.make_throwaway_chain(["localhost", "127.0.0.1"], 2)


def encoded(password: str) -> str:
    """What a client sends for the user "user" and this password."""
    return base64.b64encode(f"user:{password}".encode()).decode("ascii")


class Index:
    """The index. Context manager; `connections` counts the completed handshakes, `requests` lists paths.

    With `password` it answers only who names it; uploads are taken and forgotten.
    """

    password: str | None = None

    def __init__(self, directory: Path, files: dict[str, bytes]) -> None:
        authority, certificate, key = throwaway_chain()
        self.authority = directory / "authority.pem"
        self.authority.write_bytes(authority)
        self.authority.chmod(0o644)
        pair = directory / "server.pem"
        pair.write_bytes(certificate + key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair)
        self.pages = pages(files)
        self.connections = 0
        self.requests: list[str] = []

    def __enter__(self) -> Index:
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle(self) -> None:
                try:
                    self.request.do_handshake()
                except (OSError, ValueError):
                    return
                index.connections += 1
                super().handle()

            def do_GET(self) -> None:
                index.requests.append(self.path)
                body = index.pages.get(self.path)
                if index.password and not self.headers.get("Authorization", "").endswith(encoded(index.password)):
                    body = None
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="index"')
                else:
                    self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def do_POST(self) -> None:
                index.requests.append(self.path)
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            def get_request(self):
                client, address = super().get_request()
                client.settimeout(60)
                return index.context.wrap_socket(client, server_side=True, do_handshake_on_connect=False), address

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that hangs up; what it should have asked for is missing in `requests`

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server.server_address[1]}/simple"
