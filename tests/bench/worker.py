# SPDX-License-Identifier: Apache-2.0
"""The work of reference.c with a Python module: `_tls_bootstrap`, `ssl`, pyOpenSSL or `bare` (bare.c).

    python worker.py MODULE CERTIFICATES

Reads one command a line and answers each with one line of JSON; the commands are those of reference.c, and
`grow`, `share`, `lock` and `copy`, which only the module itself is asked for. Runs on 2.7 and 3.4 or later. A module that cannot be
told which suites or groups of TLS 1.3 to use takes them from the file that OPENSSL_CONF names.
"""

from __future__ import print_function

import gc
import importlib
import json
import os
import socket
import sys
import threading
import time
import traceback

cpu = getattr(time, "process_time", None) or time.clock  # 2.7's time.clock() is the process's CPU time
wall = getattr(time, "perf_counter", None) or time.time

READ_LENGTH = 16384  #: a record, which `ssl`, pyOpenSSL and C never give more than
LONG_READ_LENGTH = 65536  #: what our module gives of a longer write

#: name -> (suite of TLS 1.3, cipher of TLS 1.2 with RSA, the same with ECDSA)
SUITES = {
    "aes128": ("TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    "aes256": ("TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    "chacha20": ("TLS_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"),
}


class Standard(object):
    """A module with the API of `ssl`."""

    into = "read"  #: the method that reads into a buffer

    def __init__(self, name, certificates):
        self.module = importlib.import_module(name)
        self.certificates = certificates
        self.reads_on = name == "_tls_bootstrap"
        self.want = self.module.SSLWantReadError
        if hasattr(self.module, "PROTOCOL_TLS_CLIENT"):
            self.protocols = (self.module.PROTOCOL_TLS_CLIENT, self.module.PROTOCOL_TLS_SERVER)
        else:
            self.protocols = (self.module.PROTOCOL_SSLv23, self.module.PROTOCOL_SSLv23)

    def openssl(self):
        return self.module.OPENSSL_VERSION

    def context(self, server, version, suite, key, group):
        module = self.module
        context = module.SSLContext(self.protocols[server])
        self._fix_version(context, version)
        context.set_ciphers(SUITES[suite][2 if key == "ec" else 1])
        if hasattr(context, "set_ciphersuites"):
            context.set_ciphersuites(SUITES[suite][0])
        if hasattr(context, "set_groups"):
            # With X25519 goes the curve of the ECDSA certificate, which TLS 1.2 asks for among the groups.
            context.set_groups("X25519:P-256" if group == "X25519" else group)
        if server:
            context.load_cert_chain(os.path.join(self.certificates, key + ".pem"))
        else:
            context.verify_mode = module.CERT_REQUIRED
            context.check_hostname = True
            context.load_verify_locations(os.path.join(self.certificates, key + ".crt"))
        return context

    def _fix_version(self, context, version):
        module = self.module
        if hasattr(context, "minimum_version"):
            context.minimum_version = context.maximum_version = (
                module.TLSVersion.TLSv1_3 if version == "tls13" else module.TLSVersion.TLSv1_2
            )
        else:
            other = module.OP_NO_TLSv1_2 if version == "tls13" else module.OP_NO_TLSv1_3
            context.options |= module.OP_NO_TLSv1 | module.OP_NO_TLSv1_1 | other

    def pair(self, client, server, session=None):
        """(client, server, their four buffers)"""
        new = self.module.MemoryBIO
        client_in, client_out, server_in, server_out = new(), new(), new(), new()
        return (
            client.wrap_bio(client_in, client_out, server_hostname="localhost", session=session),
            server.wrap_bio(server_in, server_out, server_side=True),
            client_in,
            client_out,
            server_in,
            server_out,
        )

    def _step(self, end):
        try:
            end.do_handshake()
            return True
        except self.want:
            return False

    def shake_hands(self, ends):
        client, server, client_in, client_out, server_in, server_out = ends
        client_done = server_done = False
        while not (client_done and server_done):
            client_done = client_done or self._step(client)
            data = client_out.read()
            if data:
                server_in.write(data)
            server_done = server_done or self._step(server)
            data = server_out.read()
            if data:
                client_in.write(data)

    def take_tickets(self, ends):
        try:
            ends[0].read(64)
            raise RuntimeError("data before any was sent")
        except self.want:
            pass

    def let_go(self, ends):
        pass

    def session(self, ends):
        return ends[0].session

    def reused(self, ends):
        return ends[0].session_reused

    def facts(self, ends):
        end = ends[0]
        group = end.group() if hasattr(end, "group") else None
        return {"version": end.version(), "cipher": end.cipher()[0], "group": group}

    def transfer(self, ends, data, count):
        """Moves `data` from the client to the server `count` times."""
        client, server, _, client_out, server_in, _ = ends
        write, take, give, read, want = client.write, client_out.read, server_in.write, server.read, self.want
        length, size = len(data), len
        # To ask the others for more would only make them allocate more.
        most = LONG_READ_LENGTH if self.reads_on and length > READ_LENGTH else READ_LENGTH
        for _ in range(count):
            if write(data) != length:
                raise RuntimeError("a partial write into memory")
            give(take())
            received = 0
            try:
                while True:
                    received += size(read(most))
            except want:
                pass
            if received != length:
                raise RuntimeError("%d bytes of %d" % (received, length))

    def transfer_into(self, ends, data, count, target):
        """The same, read into a buffer that takes it all."""
        client, server, _, client_out, server_in, _ = ends
        write, take, give, want = client.write, client_out.read, server_in.write, self.want
        read, length = getattr(server, self.into), len(data)
        for _ in range(count):
            if write(data) != length:
                raise RuntimeError("a partial write into memory")
            give(take())
            received = 0
            try:
                while True:
                    received += read(length, target)
            except want:
                pass
            if received != length:
                raise RuntimeError("%d bytes of %d" % (received, length))

    def exchange(self, ends, data):
        """One record each way."""
        client, server, client_in, client_out, server_in, server_out = ends
        client.write(data)
        server_in.write(client_out.read())
        server.read(READ_LENGTH)
        server.write(data)
        client_in.write(server_out.read())
        client.read(READ_LENGTH)

    def sockets(self, client, server):
        """(client, server) over a socket pair."""
        one, other = socket.socketpair()
        if sys.version_info[0] == 2:
            one, other = socket.socket(_sock=one), socket.socket(_sock=other)
        accepted = []
        thread = threading.Thread(target=lambda: accepted.append(server.wrap_socket(other, server_side=True)))
        thread.start()
        connected = client.wrap_socket(one, server_hostname="localhost")
        thread.join()
        return connected, accepted[0]

    def prepare_trust(self):
        self.module.create_default_context, self.module.SSLContext  # noqa: B018  (resolved before the clock runs)

    def trusting_context(self, cafile, capath):
        return self.module.create_default_context(cafile=cafile, capath=capath)

    def trusted(self, context):
        return context.cert_store_stats()["x509"]


class PyOpenSSL(Standard):
    """pyOpenSSL has an API of its own; its connections hold their buffers."""

    MODE_RELEASE_BUFFERS = 0x10  # which `ssl` and our module set

    def __init__(self, name, certificates):
        self.module = importlib.import_module("OpenSSL.SSL")
        self.certificates = certificates
        self.want = self.module.WantReadError

    def openssl(self):
        text = self.module.SSLeay_version(self.module.SSLEAY_VERSION)
        return text.decode("ascii")

    def context(self, server, version, suite, key, group):
        module = self.module
        context = module.Context(module.SSLv23_METHOD)
        other = module.OP_NO_TLSv1 | module.OP_NO_TLSv1_1
        other |= module.OP_NO_TLSv1_2 if version == "tls13" else getattr(module, "OP_NO_TLSv1_3", 0x20000000)
        context.set_options(other | module.OP_NO_SSLv2 | module.OP_NO_SSLv3)
        context.set_cipher_list(SUITES[suite][2 if key == "ec" else 1].encode("ascii"))
        if hasattr(context, "set_tls13_ciphersuites"):
            context.set_tls13_ciphersuites(SUITES[suite][0].encode("ascii"))
        context.set_mode(self.MODE_RELEASE_BUFFERS)
        if server:
            path = os.path.join(self.certificates, key + ".pem")
            context.use_certificate_chain_file(path)
            context.use_privatekey_file(path)
            context.set_session_id(b"reference")
            context.set_session_cache_mode(module.SESS_CACHE_SERVER)
        else:
            context.load_verify_locations(os.path.join(self.certificates, key + ".crt"))
            context.set_verify(module.VERIFY_PEER)
        return context

    def pair(self, client, server, session=None):
        connecting = self.module.Connection(client, None)
        connecting.set_connect_state()
        connecting.set_tlsext_host_name(b"localhost")
        if session is not None:
            connecting.set_session(session)
        accepting = self.module.Connection(server, None)
        accepting.set_accept_state()
        return connecting, accepting

    def _move(self, one, other):
        try:
            data = one.bio_read(65536)
        except self.want:
            return
        other.bio_write(data)

    def shake_hands(self, ends):
        client, server = ends
        client_done = server_done = False
        while not (client_done and server_done):
            client_done = client_done or self._step(client)
            self._move(client, server)
            server_done = server_done or self._step(server)
            self._move(server, client)

    def let_go(self, ends):
        for end in ends:
            end.set_shutdown(3)

    def session(self, ends):
        return ends[0].get_session()

    def reused(self, ends):
        library = getattr(self.module, "_lib", None)
        if hasattr(library, "SSL_session_reused"):
            return bool(library.SSL_session_reused(ends[0]._ssl))
        return None

    def facts(self, ends):
        end = ends[0]
        group = end.get_group_name() if hasattr(end, "get_group_name") else None
        return {"version": end.get_protocol_version_name(), "cipher": end.get_cipher_name(), "group": group}

    def transfer(self, ends, data, count):
        client, server = ends
        write, take, give, read, want = client.send, client.bio_read, server.bio_write, server.recv, self.want
        length, size = len(data), len
        room = length + length // 16 + 4096
        for _ in range(count):
            written = write(data)
            while written < length:  # a record at a time
                written += write(memoryview(data)[written:])
            moved = take(room)
            if give(moved) != len(moved):
                raise RuntimeError("a partial write of ciphertext")
            received = 0
            try:
                while True:
                    received += size(read(READ_LENGTH))
            except want:
                pass
            if received != length:
                raise RuntimeError("%d bytes of %d" % (received, length))

    def exchange(self, ends, data):
        for one, other in (ends, ends[::-1]):
            one.send(data)
            other.bio_write(one.bio_read(65536))
            other.recv(READ_LENGTH)

    def prepare_trust(self):
        pass

    def trusting_context(self, cafile, capath):
        context = self.module.Context(self.module.SSLv23_METHOD)
        context.load_verify_locations(cafile, capath)
        return context

    def trusted(self, context):
        return None


class Bare(Standard):
    """What makes MemoryBIOs and connections in bare.c. It knows neither sessions nor contexts of trust."""

    into = "read_into"

    def __init__(self, name, certificates):
        self.module = importlib.import_module(name)
        self.certificates = certificates
        self.reads_on = True
        self.want = self.module.WantRead

    def openssl(self):
        return self.module.openssl()

    def context(self, server, version, suite, key, group):
        return self.module.context(self.certificates, server, version, suite, key, group)

    def pair(self, client, server, session=None):
        new, wrap = self.module.MemoryBIO, self.module.wrap_bio
        client_in, client_out, server_in, server_out = new(), new(), new(), new()
        return (
            wrap(client, client_in, client_out, 0),
            wrap(server, server_in, server_out, 1),
            client_in,
            client_out,
            server_in,
            server_out,
        )

    def session(self, ends):
        return None

    def reused(self, ends):
        return None

    def facts(self, ends):
        return ends[0].facts()

    def sockets(self, client, server):
        pair = socket.socketpair()
        connected, accepted = (
            OverSocket(each, self.module.wrap_socket(context, each.fileno(), server_side))
            for server_side, (each, context) in enumerate(zip(pair, (client, server)))
        )
        thread = threading.Thread(target=accepted.do_handshake)
        thread.start()
        connected.do_handshake()
        thread.join()
        return connected, accepted


class OverSocket(object):
    """A connection of bare.c with the socket that it uses."""

    def __init__(self, plain, connection):
        self.close = plain.close
        self.do_handshake, self.facts = connection.do_handshake, connection.facts
        self.sendall, self.recv_into = connection.sendall, connection.recv_into


def send(server, data, count):
    """Sends so many times; returns the CPU seconds of it."""
    started = cpu()
    for _ in range(count):
        server.sendall(data)
    return cpu() - started


def receive(client, target, total):
    """Receives so many bytes; returns the CPU seconds of it."""
    started = cpu()
    read = client.recv_into
    while total > 0:
        # What follows is another's: a read may go on with the next record.
        part = read(target) if total >= len(target) else read(target, total)
        if not part:
            raise RuntimeError("the sender ended early")
        total -= part
    return cpu() - started


def in_threads(client, server, data, target, count):
    """CPU seconds of sender and receiver as two threads of this process, which take turns at the GIL."""
    thread = threading.Thread(target=send, args=(server, data, count))
    started = cpu()
    thread.start()
    receive(client, target, count * len(data))
    thread.join()
    return cpu() - started


def in_processes(client, server, data, target, count):
    """The same of two processes. Each does a part of the work before: after fork() pages are copied when first written."""
    first = count // 16 + 1
    answer, answer_of_child = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            send(server, data, first)
            os.write(answer_of_child, repr(send(server, data, count)).encode("ascii"))
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(answer_of_child)
    server.close()  # the child's is the only one: where it fails, what is read ends
    receive(client, target, first * len(data))
    spent = receive(client, target, count * len(data))
    with os.fdopen(answer) as stream:
        spent += float(stream.read())
    os.waitpid(child, 0)
    return spent


class Worker(object):
    """The commands."""

    def __init__(self, api):
        self.api = api
        self.standing = {}

    def hello(self):
        return {"openssl": self.api.openssl(), "python": sys.version.split()[0]}

    def _contexts(self, *settings):
        return self.api.context(0, *settings), self.api.context(1, *settings)

    def _connected(self, contexts, session=None):
        ends = self.api.pair(*contexts, session=session)
        self.api.shake_hands(ends)
        return ends

    def _standing_pair(self, version, suite, which=0):
        if (version, suite, which) not in self.standing:
            ends = self._connected(self._contexts(version, suite, "rsa", "X25519"))
            self.api.take_tickets(ends)
            self.standing[version, suite, which] = ends
        return self.standing[version, suite, which]

    def _bulk_speed(self, transfer, ends, length, limit, clock):
        data = b"x" * length
        each, total = 8 if length >= 65536 else 32, 0
        transfer(ends, data, each)  # what is measured begins with its memory at hand
        started = clock()
        while True:
            transfer(ends, data, each)
            total += length * each
            passed = clock() - started
            if passed >= limit:
                return total / passed / 1e6

    def bulk(self, version, suite, length, limit):
        return self._bulk(self.api.transfer, version, suite, length, limit)

    def bulk_into(self, version, suite, length, limit):
        target = bytearray(int(length))

        def transfer(ends, data, count):
            self.api.transfer_into(ends, data, count, target)

        return self._bulk(transfer, version, suite, length, limit)

    def _bulk(self, transfer, version, suite, length, limit):
        ends = self._standing_pair(version, suite)
        value = self._bulk_speed(transfer, ends, int(length), float(limit), cpu)
        return dict(self.api.facts(ends), value=value)

    def handshake(self, version, key, group, kind, limit):
        contexts = self._contexts(version, "aes128", key, group)
        ends = self._connected(contexts)
        self.api.take_tickets(ends)
        session = self.api.session(ends) if kind == "resumed" else None
        self.api.let_go(ends)
        limit, count = float(limit), 0
        started = cpu()
        while True:
            ends = self._connected(contexts, session)
            count += 1
            passed = cpu() - started
            if passed >= limit:
                break
            self.api.let_go(ends)
        if self.api.reused(ends) not in (kind == "resumed", None):
            raise RuntimeError("a %s handshake was something else" % kind)
        return dict(self.api.facts(ends), value=count / passed)

    def socket(self, version, suite, length, megabytes, place):
        client, server = self.api.sockets(*self._contexts(version, suite, "rsa", "X25519"))
        data, target = b"x" * int(length), bytearray(int(length))
        count = (int(megabytes) << 20) // len(data)
        transfer = in_processes if place == "processes" else in_threads
        value = count * len(data) / transfer(client, server, data, target, count) / 1e6
        facts = self.api.facts((client,))
        client.close()
        server.close()
        return dict(facts, value=value)

    def context(self, cafile, capath):
        self.api.prepare_trust()
        started = cpu()
        made = self.api.trusting_context(cafile, capath)
        value = (cpu() - started) * 1e3
        return {"value": value, "trusted": self.api.trusted(made)}

    def memory(self, version, pairs):
        contexts = self._contexts(version, "aes128", "ec", "X25519")
        kept, data = [], b"x" * READ_LENGTH
        before = 0
        for number in range(int(pairs) + 1):  # the first one pays what is paid once
            kept.append(self._connected(contexts))
            self.api.take_tickets(kept[-1])
            if number == 0:
                gc.collect()
                before = resident()
        gc.collect()
        idle = resident() - before
        for ends in kept:
            self.api.exchange(ends, data)
        gc.collect()
        used = resident() - before
        return {"value": idle / int(pairs) / 2, "used": used / int(pairs) / 2}

    def threads(self, length, limit, gives_up_gil=None):
        """How much faster two are than one; whether writes and reads give up the GIL can be told `bare` alone."""
        length, limit = int(length), float(limit)
        if gives_up_gil is not None:
            self.api.module.set_gives_up_gil(int(gives_up_gil))
        ends = [self._standing_pair("tls13", "aes128", which) for which in (0, 1)]
        alone = sum(self._bulk_speed(self.api.transfer, each, length, limit, wall) for each in ends) / 2
        speeds = []
        run = [
            threading.Thread(target=lambda each=each: speeds.append(self._bulk_speed(self.api.transfer, each, length, limit, wall)))
            for each in ends
        ]
        for thread in run:
            thread.start()
        for thread in run:
            thread.join()
        return {"value": sum(speeds) / alone}

    def share(self, length, count):
        """How often locks were found taken (contention.c): two threads on two connections, then both on one."""
        data, count = b"x" * int(length), int(count)
        ends = [self._standing_pair("tls13", "aes128", which) for which in (0, 1)]
        contended = importlib.import_module("ctypes").CDLL(None).tls_bootstrap_contended

        def at_once(*jobs):
            before = contended()
            run = [threading.Thread(target=job) for job in jobs]
            for thread in run:
                thread.start()
            for thread in run:
                thread.join()
            return contended() - before

        def write():
            for _ in range(count):
                ends[0][0].write(data)

        apart = at_once(*[lambda each=each: self.api.transfer(each, data, count) for each in ends])
        return {"apart": apart, "together": at_once(write, write)}

    def lock(self):
        """How many mutexes are taken (contention.c) for a record and for two, and by callbacks in the midst of them."""
        taken = importlib.import_module("ctypes").CDLL(None).tls_bootstrap_taken
        found = {}

        def count(name, work, *arguments):
            before = taken()
            answer = work(*arguments)
            found[name] = found.get(name, 0) + taken() - before
            return answer

        def transfer(name, ends, length):
            client, server, _, client_out, server_in, _ = ends
            count(name + " write", client.write, b"x" * length)
            data = count(name + " take", client_out.read)
            count(name + " give", server_in.write, data)
            while length:
                length -= len(count(name + " read", server.read, length))

        sizes = (("record", READ_LENGTH), ("records", 2 * READ_LENGTH), ("afterwards", READ_LENGTH))
        for name, length in sizes:
            transfer(name, self._standing_pair("tls13", "aes128"), length)
        writing = []

        def half_way(*message):
            if writing:
                count(writing[0] + " half-way connection", ends[0].pending)
                count(writing[0] + " half-way queue", lambda: ends[3].pending)

        contexts = self._contexts("tls13", "aes128", "rsa", "X25519")
        contexts[0]._msg_callback = half_way
        ends = self._connected(contexts)
        for name, length in sizes:
            writing.append(name)
            ends[0].write(b"x" * length)
            writing.pop()
        count("idle connection", ends[0].pending)
        count("idle queue", lambda: ends[3].pending)
        ends, data = self._standing_pair("tls13", "aes128"), b"x" * READ_LENGTH
        another = threading.Thread(target=self.api.transfer, args=(self._standing_pair("tls13", "aes128", 1), data, 1))
        another.start()
        another.join()
        transfer("shared little", ends, READ_LENGTH // 4)
        transfer("shared record", ends, READ_LENGTH)
        self.api.transfer(ends, data, 200)
        transfer("lonely record", ends, READ_LENGTH)
        return found

    def copy(self, version, suite, length):
        """Bytes copied (copies.c) for each byte of a write and its reads."""
        ends, data = self._standing_pair(version, suite), b"x" * int(length)
        copied = importlib.import_module("ctypes").CDLL(None).tls_bootstrap_copied
        self.api.transfer(ends, data, 1)
        before = copied()
        self.api.transfer(ends, data, 8)
        return {"value": (copied() - before) / 8.0 / len(data)}

    def grow(self, megabytes):
        """Puts so much ciphertext into a MemoryBIO before any of it is read."""
        count = int(megabytes)
        data = b"x" * (1 << 20)
        client, server, _, client_out, server_in, _ = self._standing_pair("tls13", "aes128")
        gc.collect()
        before = resident()
        started = cpu()
        for _ in range(count):
            client.write(data)
        written = cpu() - started
        pending = client_out.pending
        filled = resident() - before
        started = cpu()
        received = 0
        while client_out.pending:
            server_in.write(client_out.read(1 << 20))
            try:
                while True:
                    received += len(server.read(READ_LENGTH))
            except self.api.want:
                pass
        read = cpu() - started
        gc.collect()
        if received != count << 20:
            raise RuntimeError("%d bytes of %d MiB" % (received, count))
        return {
            "value": (written + read) / count * 1e3,
            "write": written / count * 1e3,
            "read": read / count * 1e3,
            "pending": pending,
            "filled": int(filled * 1024),
            "left": int((resident() - before) * 1024),
        }

    def connections(self, count):
        """Handshakes and keeps so many connections; CPU ms and KiB for each."""
        contexts = self._contexts("tls13", "aes128", "ec", "X25519")
        kept = [self._connected(contexts)]
        gc.collect()
        before, started = resident(), cpu()
        for _ in range(int(count) // 2):
            kept.append(self._connected(contexts))
        passed = cpu() - started
        return {"value": passed / int(count) * 1e3, "kib": (resident() - before) / int(count)}


def resident():
    """KiB."""
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1024.0


#: All other modules are used as `ssl` is.
KINDS = {"OpenSSL": PyOpenSSL, "bare": Bare}


def main():
    name, certificates = sys.argv[1:]
    worker = Worker(KINDS.get(name, Standard)(name, certificates))
    for line in iter(sys.stdin.readline, ""):
        words = line.split()
        print(json.dumps(getattr(worker, words[0])(*words[1:]), sort_keys=True))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
