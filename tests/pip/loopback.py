# SPDX-License-Identifier: Apache-2.0
"""A package index on loopback made with the test interpreter's own `ssl`, not with our code."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import ssl
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]


WHEEL_FILE = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"


def make_wheel(project: str, version: str = "1.0") -> tuple[str, bytes]:
    """(file name, bytes) of a wheel with one module."""
    module = project.replace("-", "_")
    information = f"{module}-{version}.dist-info"
    contents = {
        f"{module}.py": "ANSWER = 42\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n",
        f"{information}/WHEEL": WHEEL_FILE,
    }
    record = ""
    for name, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text)}\n"
    contents[f"{information}/RECORD"] = record + f"{information}/RECORD,,\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return f"{module}-{version}-py2.py3-none-any.whl", stream.getvalue()


BACKEND = """\
import base64, zipfile
import {requirement}

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "{module}-1.0-py2.py3-none-any.whl"
    information = "{module}-1.0.dist-info/"
    archive = zipfile.ZipFile(directory + "/" + name, "w")
    archive.writestr("{module}.py", "ANSWER = %d\\n" % {requirement}.ANSWER)
    archive.writestr(information + "METADATA", "Metadata-Version: 2.1\\nName: {project}\\nVersion: 1.0\\n")
    archive.writestr(
        information + "WHEEL",
        "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py2-none-any\\nTag: py3-none-any\\n",
    )
    archive.writestr(information + "RECORD", "")
    archive.close()
    return name

def build_sdist(directory, config_settings=None):
    raise NotImplementedError
"""


def make_sdist(project: str, requirement: str) -> tuple[str, bytes]:
    """(file name, bytes) of a source distribution whose isolated build imports `requirement`."""
    module = project.replace("-", "_")
    contents = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\n",
        "pyproject.toml": f'[build-system]\nrequires = ["{requirement}"]\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND.format(project=project, module=module, requirement=requirement.replace("-", "_")),
        "setup.py": "",
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in contents.items():
            entry = tarfile.TarInfo(f"{project}-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{project}-1.0.tar.gz", stream.getvalue()


def throwaway_chain() -> tuple[bytes, bytes, bytes]:
    """(authority, certificate, key) as PEM, for localhost."""
    sys.path.insert(0, str(SOURCE / "build" / "py3"))
    try:
        from _tls_bootstrap import _core
    finally:
        sys.path.pop(0)
    return _core.make_throwaway_chain(["localhost", "127.0.0.1"], 2)


class Index:
    """The index. Context manager; `connections` counts the completed handshakes, `requests` lists paths."""

    def __init__(self, directory: Path, files: dict[str, bytes]) -> None:
        authority, certificate, key = throwaway_chain()
        self.authority = directory / "authority.pem"
        self.authority.write_bytes(authority)
        self.authority.chmod(0o644)
        pair = directory / "server.pem"
        pair.write_bytes(certificate + key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pair)
        self.pages: dict[str, bytes] = {}
        for name, data in files.items():
            project = name.split("-")[0].replace("_", "-") if name.endswith(".whl") else name.rsplit("-", 1)[0]
            link = f'<a href="/files/{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>'
            self.pages[f"/simple/{project}/"] = f"<!DOCTYPE html><html><body>{link}</body></html>".encode()
            self.pages[f"/files/{name}"] = data
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
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

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
