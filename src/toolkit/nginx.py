# SPDX-License-Identifier: Apache-2.0
"""A real web server on loopback for the repositories: http, https, and as a proxy for the address in the packages."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands import run

_CONFIGURATION = """
worker_processes 1;
error_log {work}/error.log notice;
pid {work}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    default_type application/octet-stream;
    access_log {work}/access.log;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    server {{
        listen 127.0.0.1:{http};
        listen 127.0.0.1:{https} ssl;
        ssl_certificate {work}/certificate.pem;
        ssl_certificate_key {work}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        root {directory};
        # What managers ask a proxy for: the packages' own address becomes this directory.
        location /tls-bootstrap/ {{ alias {directory}/; }}
    }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A running server: its addresses, and what its clients must trust."""

    http: str
    https: str
    authority: Path
    log: Path

    @property
    def requests(self) -> str:
        """Its access log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(directory: Path, work: Path) -> Iterator[Server]:
    """Serve ``directory`` from inside the block; configuration, key and logs go to ``work``."""
    work.mkdir(parents=True, exist_ok=True)
    # The workers of a server that root starts are another user's.
    work.chmod(0o755)
    run([
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", work / "key.pem", "-out", work / "certificate.pem",
    ])  # fmt: skip
    http, https = _free_port(), _free_port()
    configuration = work / "nginx.conf"
    text = _CONFIGURATION.format(work=work, directory=directory, http=http, https=https)
    # The files may lie where only root can look.
    configuration.write_text(f"user root;\n{text}", encoding="utf-8")
    words = ["nginx", "-p", work, "-c", configuration, "-e", work / "error.log"]
    run(words)  # returns when the server listens
    try:
        yield Server(f"http://localhost:{http}", f"https://localhost:{https}", work / "certificate.pem", work / "access.log")
    finally:
        run([*words, "-s", "stop"], check=False)
