# SPDX-License-Identifier: Apache-2.0
"""The check's package index on loopback; runs as `python -B -E -s index_server.py`.

Reads one command per line from stdin and answers each with one line on stdout, both JSON. It ends
with stdin. The TLS side is `_tls_bootstrap`, from the directory that the first command names.

  {"do": "start", "module_directory": D, "work": D, "names": [...], "listeners": {NAME: VERSION},
   "files": {PATH: base64}}            -> {"ports": {NAME: port}, "authority": PEM, "stranger": PEM}
  {"do": "begin", "nonce": hex}        -> {}   forget past connections, export with this nonce
  {"do": "report"}                     -> {"connections": [...]}   after all of them have ended
"""

import base64
import binascii
import json
import os
import socket
import sys
import threading

from answer import say

EXPORTER_LABEL = b"EXPORTER-tls-bootstrap-check"
EXPORTER_LENGTH = 32
CONNECTION_LIMIT = 20.0  # seconds that one connection may take
REQUEST_LIMIT = 65536  # bytes
DAYS = 2


class Index(object):
    def __init__(self, module, files):
        self.module = module
        self.files = files
        self.nonce = None
        self.connections = []
        self.threads = []

    def listen(self, name, version, certificate, key):
        """Accept connections of one protocol version on a free port of loopback; return the port."""
        context = self.module.SSLContext(self.module.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.minimum_version = context.maximum_version = self.module.TLSVersion[version]
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        acceptor = threading.Thread(target=self._accept, args=(name, context, listener))
        acceptor.daemon = True
        acceptor.start()
        return listener.getsockname()[1]

    def _accept(self, name, context, listener):
        while True:
            client, address = listener.accept()
            thread = threading.Thread(target=self._serve, args=(name, context, client, address[1]))
            thread.daemon = True
            self.threads.append(thread)
            thread.start()

    def _serve(self, name, context, client, client_port):
        facts = {"listener": name, "requests": [], "error": None, "exporter": None}
        self.connections.append(facts)
        client.settimeout(CONNECTION_LIMIT)
        try:
            connection = context.wrap_socket(client, server_side=True)
        except Exception as error:
            facts["error"] = "%s: %s" % (type(error).__name__, error)
            client.close()
            return
        try:
            facts.update(self._facts(connection))
            request = read_request(connection)
            if request is not None:
                facts["requests"].append(request)
                # pip waits for the answer, so its process can be looked at now.
                facts.update(client_process(client_port, connection.getsockname()[1]))
                connection.sendall(self._answer(request))
            end(connection)
        except Exception as error:
            facts["error"] = "%s: %s" % (type(error).__name__, error)
        finally:
            connection.close()

    def _facts(self, connection):
        cipher = connection.cipher()
        facts = {"protocol": connection.version(), "cipher": cipher[0] if cipher else None}
        low_level = getattr(connection, "_sslobj", connection)
        facts["group"] = low_level.group()
        # Without it a TLS 1.2 exporter value is not bound to one connection: RFC 7627, section 1.
        if low_level.extended_master_secret():
            value = connection.export_keying_material(EXPORTER_LABEL, EXPORTER_LENGTH, self.nonce)
            facts["exporter"] = binascii.hexlify(value).decode("ascii")
        return facts

    def _answer(self, path):
        body = self.files.get(path)
        status = "404 Not Found" if body is None else "200 OK"
        kind = "text/html" if path.endswith("/") else "application/octet-stream"
        head = "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        return (head % (status, kind, len(body or b""))).encode("ascii") + (body or b"")


def read_request(connection):
    """The path of a GET request; None when the client says nothing."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(4096)
        if not data or len(received) > REQUEST_LIMIT:
            return None
        received += data
    words = received.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return words[1] if len(words) == 3 else None


def end(connection):
    """Close in order, so that the client reads everything."""
    try:
        connection.unwrap()
    except Exception:  # a client may just hang up
        pass


def client_process(client_port, server_port):
    """pid and mapped files of the process at the other end, as far as the kernel shows them."""
    inode = _socket_inode(client_port, server_port)
    if inode is None:
        return {}
    link = "socket:[%s]" % inode
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            directory = "/proc/%s/fd" % pid
            if any(os.readlink(os.path.join(directory, fd)) == link for fd in os.listdir(directory)):
                return {"client_pid": int(pid), "client_mapped": _mapped(pid)}
        except (IOError, OSError):  # another user's process, or one that has just ended
            continue
    return {}


def _socket_inode(local_port, remote_port):
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        try:
            with open(table) as stream:
                lines = stream.read().splitlines()[1:]
        except (IOError, OSError):
            continue
        for line in lines:
            fields = line.split()
            ports = [int(field.rpartition(":")[2], 16) for field in fields[1:3]]
            if ports == [local_port, remote_port]:
                return fields[9]
    return None


def _mapped(pid):
    found = set()
    with open("/proc/%s/maps" % pid) as stream:
        for line in stream:
            path = line.rstrip("\n").split(None, 5)[5:]
            name = os.path.basename(path[0]) if path else ""
            if name.startswith(("_core.", "libssl", "libcrypto", "_ssl.")):
                found.add(path[0])
    return sorted(found)


def start(command):
    sys.path.insert(0, command["module_directory"])
    try:
        module = __import__("_tls_bootstrap")
        from _tls_bootstrap import _core
    finally:
        sys.path.remove(command["module_directory"])
    names = [str(name) for name in command["names"]]
    authority, certificate, key = _core.make_throwaway_chain(names, DAYS)
    stranger = _core.make_throwaway_chain(names, DAYS)[0]
    paths = []
    for name, data in (("server.pem", certificate), ("server.key", key)):
        path = os.path.join(command["work"], name)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(data)
        paths.append(path)
    files = dict((path, base64.b64decode(data)) for path, data in command["files"].items())
    index = Index(module, files)
    ports = {}
    for name, version in command["listeners"].items():
        ports[name] = index.listen(name, version, *paths)
    answer = {
        "ports": ports,
        "authority": authority.decode("ascii"),
        "stranger": stranger.decode("ascii"),
    }
    return index, answer


def main():
    del sys.path[0]  # the directory of this script
    index = None
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        command = json.loads(line)
        try:
            if command["do"] == "start":
                index, answer = start(command)
            elif command["do"] == "begin":
                index.nonce = binascii.unhexlify(command["nonce"])
                index.connections = []
                answer = {}
            else:
                for thread in index.threads:
                    thread.join(CONNECTION_LIMIT)
                answer = {"connections": index.connections}
        except Exception as error:
            answer = {"failure": "%s: %s" % (type(error).__name__, error)}
        say(answer)


if __name__ == "__main__":
    main()
