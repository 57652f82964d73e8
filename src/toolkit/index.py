# SPDX-License-Identifier: Apache-2.0
"""A loopback package index over TLS, served with `_tls_bootstrap`, that records every handshake.

``python -m toolkit.index --tree DIR --wheel FILE --authority FILE --nonce HEX
[--groups NAMES]`` prints one JSON line with its URL. Each line read from standard
input then answers with one JSON line: the connections that ended since the last
one, after waiting for those that are still open. End of input ends it.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

_NAMES = ("localhost", "127.0.0.1")
_CERTIFICATE_DAYS = 7
#: Longer than any sane client is silent; a client that hangs must not hang the demo.
_IDLE_SECONDS = 60


class Index:
    """The server as a child process; use it in a ``with`` block."""

    def __init__(self, *, tree: Path, wheel: Path, authority: Path, nonce: bytes, groups: str, log: Path) -> None:
        self._arguments = [
            f"--tree={tree}", f"--wheel={wheel}", f"--authority={authority}", f"--nonce={nonce.hex()}",
            f"--groups={groups}",
        ]
        self._log = log
        self.url = ""

    def __enter__(self) -> Index:
        source = Path(__file__).resolve().parents[1]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "toolkit.index", *self._arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env={"PATH": os.defpath, "PYTHONPATH": str(source), "LANG": "C.UTF-8"},
            )
        self._requests, self._answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        self.url = self._read()["url"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._requests.close()
        self._process.wait(timeout=2 * _IDLE_SECONDS)
        self._answers.close()

    def _read(self) -> Any:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the loopback index ended with status {self._process.wait()}; see {self._log}")
        return json.loads(line)

    def connections(self) -> list[dict[str, Any]]:
        """What was recorded of each connection that ended since the last call, in order."""
        self._requests.write("connections\n")
        self._requests.flush()
        answer: list[dict[str, Any]] = self._read()
        return answer


class _Recorder:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = 0
        self._ended: list[dict[str, Any]] = []

    def begin(self) -> None:
        with self._changed:
            self._open += 1

    def end(self, record: dict[str, Any]) -> None:
        with self._changed:
            self._open -= 1
            self._ended.append(record)
            self._changed.notify_all()

    def take(self) -> list[dict[str, Any]]:
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0, timeout=_IDLE_SECONDS)
            taken, self._ended = self._ended, []
            return taken


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tls: Any, context: Any, nonce: bytes, wheel: Path) -> None:
        super().__init__(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        self.tls = tls
        self.context = context
        self.nonce = nonce
        self.wheel = wheel
        self.recorder = _Recorder()

    def process_request(self, request: Any, client_address: Any) -> None:
        # Counted in the accepting thread: whoever asks after its client ended sees it.
        self.recorder.begin()
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        record: dict[str, Any] = {"handshake": False, "files": []}
        try:
            request.settimeout(_IDLE_SECONDS)
            with self.context.wrap_socket(request, server_side=True) as connection:
                label, length = "EXPORTER-tls-bootstrap-check", 32
                record.update(
                    handshake=True,
                    protocol=connection.version(),
                    cipher=connection.cipher()[0],
                    group=connection.group(),
                    exporter=connection.export_keying_material(label, length, self.nonce).hex(),
                )
                _Handler(connection, client_address, self, record)
        except (OSError, ValueError) as error:
            record["error"] = str(error)
        finally:
            self.recorder.end(record)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def __init__(self, request: socket.socket, address: Any, server: _Server, record: dict[str, Any]) -> None:
        self.record = record
        super().__init__(request, address, server)

    def do_GET(self) -> None:
        wheel = self.server.wheel
        project = wheel.name.split("-")[0]
        path = self.path.rstrip("/")
        if path == f"/simple/{project}":
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            page = f'<!DOCTYPE html><a href="/files/{wheel.name}#sha256={digest}">{wheel.name}</a>'
            self._answer(page.encode(), "text/html")
        elif path == f"/files/{wheel.name}":
            self._answer(wheel.read_bytes(), "application/octet-stream")
            self.record["files"].append(wheel.name)
        else:
            self.send_error(404)

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        print(f"{self.client_address[1]} {format % args}", file=sys.stderr)


def _context(tls: Any, core: Any, authority: Path, groups: str) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.minimum_version = tls.TLSVersion.TLSv1_3
    if groups:
        context.set_groups(groups)
    root, certificate, key = core.make_throwaway_chain(list(_NAMES), _CERTIFICATE_DAYS)
    with tempfile.NamedTemporaryFile(suffix=".pem") as pair:
        pair.write(key + certificate)
        pair.flush()
        context.load_cert_chain(pair.name)
    authority.write_bytes(root)
    authority.chmod(0o644)
    return context


def main() -> int:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="toolkit.index", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tree", type=Path, required=True, help="directory that holds _tls_bootstrap")
    parser.add_argument("--wheel", type=Path, required=True, help="the one file to serve")
    parser.add_argument("--authority", type=Path, required=True, help="where to write the certificate to trust")
    parser.add_argument("--nonce", type=bytes.fromhex, required=True, help="context of the exporter, hex")
    parser.add_argument("--groups", default="", help="accept these key exchange groups only")
    options = parser.parse_args()
    # Before PYTHONPATH: src/ holds a package of that name without its compiled half.
    sys.path.insert(0, str(options.tree))
    import _tls_bootstrap as tls
    from _tls_bootstrap import _core as core

    context = _context(tls, core, options.authority, options.groups)
    with _Server(tls, context, options.nonce, options.wheel) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"url": f"https://localhost:{server.server_address[1]}/simple"}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(server.recorder.take()), flush=True)
        server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
