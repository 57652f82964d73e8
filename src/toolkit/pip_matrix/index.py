# SPDX-License-Identifier: Apache-2.0
"""The servers of one cell of the pip matrix: its own ports on loopback, its own nonce, every connection recorded.

Served with `_tls_bootstrap` from the built tree (`prepare` makes it importable), because the indexes of the matrix
differ in what only a recent OpenSSL can be told: one protocol version, one key exchange.
"""

from __future__ import annotations

import hashlib
import http.server
import secrets
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

HYBRID = "X25519MLKEM768"
#: What an index accepts. The first three are the columns of the matrix.
TLS_1_3, TLS_1_2, ANY, CLIENT_CERTIFICATE, STRANGER = "TLS 1.3", "TLS 1.2", "TLS 1.2 or 1.3", "client certificate", "stranger"
COLUMNS = (TLS_1_3, TLS_1_2, HYBRID)

#: A second host, for redirects; a cell that uses it adds the line of /etc/hosts.
SECOND_HOST = "second.test"
_NAMES = ["localhost", "127.0.0.1", SECOND_HOST]
_DAYS = 2
_LABEL, _LENGTH = "EXPORTER-tls-bootstrap-check", 32
#: A client that hangs must not hang the matrix.
_IDLE_SECONDS = 60
_CHUNK = 1 << 16


class Identity:
    """The throw-away authorities and the contexts of every kind of index, made once for a whole run.

    ``authority`` (PEM) is what pips are told to trust, ``client`` is a certificate and key for them.
    """

    def __init__(self, tree: Path) -> None:
        # Before PYTHONPATH: src/ holds a package of that name without its compiled half.
        sys.path.insert(0, str(tree))
        import _tls_bootstrap as tls
        from _tls_bootstrap import _core as core

        self._tls = tls
        self.authority, certificate, key = core.make_throwaway_chain(_NAMES, _DAYS)
        stranger = core.make_throwaway_chain(_NAMES, _DAYS)
        self.client, clients = _client_certificate()
        self.store: str = tls.get_default_verify_paths().cafile or ""

        self.pair = certificate + key
        self.contexts = {
            TLS_1_3: self.context(self.pair, "TLSv1_3"),
            TLS_1_2: self.context(self.pair, highest="TLSv1_2"),
            HYBRID: self.context(self.pair, "TLSv1_3"),
            ANY: self.context(self.pair),
            CLIENT_CERTIFICATE: self.context(self.pair),
            STRANGER: self.context(stranger[1] + stranger[2]),
        }
        self.contexts[HYBRID].set_groups(HYBRID)
        asking = self.contexts[CLIENT_CERTIFICATE]
        asking.verify_mode = tls.CERT_REQUIRED
        asking.load_verify_locations(cadata=clients.decode("ascii"))

    def context(self, pair: bytes, lowest: str = "TLSv1_2", highest: str = "TLSv1_3") -> Any:
        """A server's context with this certificate and key (PEM) and these protocol versions."""
        made = self._tls.SSLContext(self._tls.PROTOCOL_TLS_SERVER)
        made.minimum_version, made.maximum_version = self._tls.TLSVersion[lowest], self._tls.TLSVersion[highest]
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(pair)
            file.flush()
            made.load_cert_chain(file.name)
        return made


def _client_certificate() -> tuple[bytes, bytes]:
    """(certificate and key, certificate) of a client, which vouches for itself: PEM."""
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(_DAYS), "-subj", "/CN=client"]
    with tempfile.NamedTemporaryFile(suffix=".pem") as key:
        command = ["openssl", "req", "-x509", *options, "-addext", "extendedKeyUsage=clientAuth", "-keyout", key.name]
        certificate = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        return certificate + Path(key.name).read_bytes(), certificate


@dataclass
class Connection:
    """One TCP connection that a server of the cell accepted, and what it saw of it."""

    server: str
    handshake: bool = False
    exporter: str = ""
    protocol: str = ""
    cipher: str = ""
    group: str = ""
    requests: list[str] = field(default_factory=list)
    error: str = ""


#: (path) -> how often this path was asked for before.
Answer = tuple[int, Mapping[str, str], bytes]


class CellServers:
    """The servers of one cell. Use it in a ``with`` block: at its end every connection has been recorded.

    ``pages`` maps a path to a body. ``nonce`` is the context of the exporter.
    """

    def __init__(self, identity: Identity, pages: Mapping[str, bytes]) -> None:
        self._identity = identity
        self.pages = dict(pages)
        self.nonce = secrets.token_bytes(32)
        self.connections: list[Connection] = []
        self.tunnels = 0
        #: Path -> answers given before the page itself, one for each request.
        self.first_answers: dict[str, list[Answer]] = {}
        #: Paths whose first transfer breaks off in the middle.
        self.breaks: set[str] = set()
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> CellServers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in self._threads:
            thread.join(2 * _IDLE_SECONDS)

    def index(self, kind: str, host: str = "localhost") -> str:
        """Start an index of this kind; returns its address without a path."""
        return f"https://{host}:{self._listen(kind, self._serve_index)}"

    def index_at_default_port(self, kind: str, host: str) -> tuple[str, bytes]:
        """Start an index at port 443, where this user may: pips before 20 mean that port alone by a host's name.

        Returns its address, and the line of /etc/hosts that leads there, to a loopback address of its own.
        """
        address = "127." + ".".join(str(1 + secrets.randbelow(250)) for _ in range(3))
        try:
            port = self._listen(kind, self._serve_index, (address, 443))
        except OSError:
            port = self._listen(kind, self._serve_index, (address, 0))
        return f"https://{host}" + ("" if port == 443 else f":{port}"), f"{address} {host}\n".encode()

    def proxy(self, tls: bool) -> str:
        """Start a proxy that knows CONNECT, reached without or with TLS; returns its address."""
        port = self._listen(ANY if tls else "", self._serve_proxy)
        return f"{'https' if tls else 'http'}://localhost:{port}"

    def _listen(
        self, kind: str, serve: Callable[[Any, Connection], None], place: tuple[str, int] = ("127.0.0.1", 0)
    ) -> int:
        listener = socket.create_server(place, backlog=16)
        self._listeners.append(listener)
        port: int = listener.getsockname()[1]
        context = self._identity.contexts[kind] if kind else None
        name = f"{kind or 'plain'} {'proxy' if serve == self._serve_proxy else 'index'} {port}"

        def accept() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                self._start(lambda client=client: self._converse(client, context, Connection(name), serve))

        self._start(accept)
        return port

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _converse(
        self, client: socket.socket, context: Any, seen: Connection, serve: Callable[[Any, Connection], None]
    ) -> None:
        client.settimeout(_IDLE_SECONDS)
        if context is not None:
            self.connections.append(seen)
        connection: Any = client
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                connection = context.wrap_socket(client, server_side=True)
                seen.handshake = True
                seen.exporter = connection.export_keying_material(_LABEL, _LENGTH, self.nonce).hex()
                seen.protocol, seen.cipher, seen.group = connection.version(), connection.cipher()[0], connection.group() or ""
            serve(connection, seen)
        except (OSError, ValueError) as error:
            seen.error = str(error)
        finally:
            connection.close()

    def _serve_index(self, connection: Any, seen: Connection) -> None:
        _Handler(connection, self, seen)

    def answer(self, path: str) -> Answer:
        """What to say to a request for ``path``."""
        waiting = self.first_answers.get(path)
        if waiting:
            return waiting.pop(0)
        body = self.pages.get(path)
        kind = "text/html" if path.endswith("/") else "application/octet-stream"
        return (200, {"Content-Type": kind}, body) if body is not None else (404, {}, b"")

    def _serve_proxy(self, connection: Any, seen: Connection) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(4096)
            if not data or len(head) > _CHUNK:
                return
            head += data
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
        seen.requests.append(" ".join(words[:2]))
        if words[0] != "CONNECT":
            connection.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = words[1].rpartition(":")
        self.tunnels += 1
        with socket.create_connection((host, int(port)), _IDLE_SECONDS) as upstream:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _pump(connection, upstream)


def _pump(client: Any, upstream: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    has_more = getattr(client, "pending", lambda: 0)
    while True:
        ready = [client] if has_more() else select.select([client, upstream], [], [], _IDLE_SECONDS)[0]
        if not ready:
            return
        for source in ready:
            data = source.recv(_CHUNK)
            if not data:
                return
            (upstream if source is client else client).sendall(data)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, connection: Any, servers: CellServers, seen: Connection) -> None:
        self._servers, self._seen = servers, seen
        super().__init__(connection, ("127.0.0.1", 0), None)  # type: ignore[arg-type]  (there is no server object: it is asked for nothing)

    def do_GET(self) -> None:
        status, headers, body = self._servers.answer(self.path)
        self._seen.requests.append(f"{status} {self.path}")
        begin = 0
        asked = self.headers.get("Range", "")
        if status == 200 and asked.startswith("bytes=") and asked.endswith("-"):
            begin, status = int(asked[6:-1]), 206
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("ETag", f'"{hashlib.sha256(body[:_CHUNK]).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - begin))
        self.end_headers()
        end = len(body)
        if self.path in self._servers.breaks:
            self._servers.breaks.discard(self.path)
            end = len(body) // 2
        view = memoryview(body)
        for position in range(begin, end, _CHUNK):
            self.connection.sendall(view[position : min(position + _CHUNK, end)])
        if end < len(body):
            self._seen.error = "broken off on purpose"
            self.close_connection = True

    def do_HEAD(self) -> None:
        status, headers, body = self._servers.answer(self.path)
        self._seen.requests.append(f"HEAD {self.path}")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass
