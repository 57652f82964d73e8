# SPDX-License-Identifier: Apache-2.0
"""The hot paths, so many times each, for callgrind.

    python hot_paths.py CERTIFICATES SMALL LARGE HANDSHAKES

Writes and reads 1 KiB SMALL times and 16 KiB LARGE times through one connection, and makes HANDSHAKES further ones.
"""

import gc
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from worker import Standard


def main():
    certificates = sys.argv[1]
    small, large, handshakes = map(int, sys.argv[2:])
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


if __name__ == "__main__":
    main()
