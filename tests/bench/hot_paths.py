# SPDX-License-Identifier: Apache-2.0
"""The hot paths, so many times each, for callgrind.

    python hot_paths.py CERTIFICATES SMALL LARGE HANDSHAKES WAITING

Writes and reads 1 KiB SMALL times and 16 KiB LARGE times through one connection, makes HANDSHAKES further ones, and writes
1 KiB WAITING times before any of that is read.
"""

import gc
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from worker import READ_LENGTH, Standard


def main():
    certificates = sys.argv[1]
    small, large, handshakes, waiting = map(int, sys.argv[2:])
    gc.disable()  # its moments depend on how many objects other modules made
    api = Standard("_tls_bootstrap", certificates)
    settings = ("tls13", "aes128", "ec", "X25519")
    contexts = api.context(0, *settings), api.context(1, *settings)
    ends = api.pair(*contexts)
    api.shake_hands(ends)
    api.take_tickets(ends)
    api.transfer(ends, b"x" * 1024, small)
    api.transfer(ends, b"x" * 16384, large)
    for _ in range(handshakes):
        other = api.pair(*contexts)
        api.shake_hands(other)
        api.take_tickets(other)
    transfer_late(api, ends, b"x" * 1024, waiting)


def transfer_late(api, ends, data, count):
    client, server, _, client_out, server_in, _ = ends
    for _ in range(count):
        client.write(data)
    received = 0
    while client_out.pending:
        server_in.write(client_out.read(READ_LENGTH))
        try:
            while True:
                received += len(server.read(READ_LENGTH))
        except api.want:
            pass
    if received != count * len(data):
        raise RuntimeError("%d bytes of %d writes" % (received, count))


if __name__ == "__main__":
    main()
