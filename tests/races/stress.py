# SPDX-License-Identifier: Apache-2.0
"""Threads that share one connection and its MemoryBIOs: short work with the GIL, long work without it, both at once, and
more connections than keep their buffers.

    python stress.py [callbacks]

With `callbacks`, Python code gives the GIL up in the midst of each operation. Prints the bytes sent and received.
"""

import os
import sys
import threading
import time

import _tls_bootstrap as tls

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "unit"))
import peers  # noqa: E402

#: (bytes of a write, how many of them): a small record, a full one, several.
WRITES = ((100, 2000), (16384, 500), (40000, 300))
LIMIT = 60.0  # seconds


def contexts(directory):
    """(client's, server's) for localhost, with certificates made for this run."""
    authority, certificate, key = tls._core.make_throwaway_chain(["localhost"], 1)
    path = directory + "/server.pem"
    with open(path, "wb") as stream:
        stream.write(certificate + key)
    server = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=authority.decode("ascii"))
    return client, server


def give_way(*message):
    """Gives the GIL up for a moment, for another thread to come in between; nothing is waited for."""
    time.sleep(0)


def run(directory, callbacks):
    both = contexts(directory)
    if callbacks:
        for context in both:
            context._msg_callback = give_way
    pair = peers.MemoryPair(*both).handshake()
    others = [peers.MemoryPair(*both).handshake() for _ in range(3)]
    client, server, to_server = pair.client, pair.server, pair.to_server
    expected = sum(length * count for length, count in WRITES)
    received, counting = [0], threading.Lock()
    deadline = time.time() + LIMIT

    def goes_on():
        return received[0] < expected and time.time() < deadline

    def write(length, count):
        for _ in range(count):
            client.write(b"x" * length)

    def read(length):
        while goes_on():
            try:
                data = server.read(length)
            except tls.SSLWantReadError:
                give_way()
                continue
            with counting:
                received[0] += len(data)

    def ask():
        while goes_on():
            client.pending(), server.version(), server.shared_ciphers(), server.selected_alpn_protocol()
            to_server.pending, to_server.eof
            to_server.write(b"")
            give_way()

    def work_elsewhere():
        while goes_on():
            for each in others:
                each.send(each.client, each.server, b"y" * 100)
            give_way()

    work = [(write, numbers) for numbers in WRITES] + [(read, (16384,)), (read, (65536,)), (ask, ()), (work_elsewhere, ())]
    threads = [threading.Thread(target=function, args=arguments) for function, arguments in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return expected, received[0]


if __name__ == "__main__":
    sys.setswitchinterval(1e-5)
    print("%d bytes sent, %d received" % run(sys.argv[1], "callbacks" in sys.argv[2:]))
