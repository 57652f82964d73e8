# SPDX-License-Identifier: Apache-2.0
"""Runs inside a root on 2.7 and 3: a hundred TLS connections that go on while the packages under them are replaced.

    python busy_client.py PORT AUTHORITY

Prints "ready" when all are open, then exchanges lines on all of them until the line "replaced" comes; then touches what the
module loads late, exchanges once more, and prints what happened as JSON.
"""

import json
import os
import select
import socket
import sys

import _tls_bootstrap as tls

COUNT = 100


def connect(context):
    plain = socket.create_connection(("localhost", int(sys.argv[1])))
    return context.wrap_socket(plain, server_hostname="localhost")


def exchange(connections, errors):
    for number, connection in enumerate(connections):
        try:
            line = ("line %d\n" % number).encode("ascii")
            connection.sendall(line)
            got = connection.recv(100)
            if got != line:
                errors.append("connection %d answered %r" % (number, got))
        except Exception as error:
            errors.append("connection %d: %s" % (number, error))


def touch_late_parts(connections, context, errors, refusals):
    """Whatever is imported at its first use, after the files were replaced."""

    def attempt(action):
        try:
            action()
        except ImportError as error:
            refusals.append(str(error))
        except Exception as error:
            errors.append("late part: %s: %s" % (type(error).__name__, error))

    certificate = connections[0].getpeercert(True)
    attempt(lambda: tls.DER_cert_to_PEM_cert(certificate))
    attempt(lambda: connections[0].get_channel_binding("tls-unique"))
    attempt(lambda: tls.get_default_verify_paths())
    attempt(lambda: tls.create_default_context())
    attempt(lambda: tls.AlertDescription)
    attempt(lambda: tls.TLSVersion.TLSv1_3)
    attempt(lambda: getattr(tls, "_TLSMessageType"))
    attempt(lambda: connect(context).close())


def loaded():
    return set(name for name in sys.modules if name.split(".")[0] == "_tls_bootstrap" and sys.modules[name] is not None)


def main():
    context = tls.create_default_context(cafile=sys.argv[2])
    connections = []
    for _ in range(COUNT):
        connections.append(connect(context))
    errors, refusals, rounds = [], [], 0
    exchange(connections, errors)
    before = loaded()
    print("ready")
    sys.stdout.flush()
    while not select.select([0], [], [], 0)[0]:
        exchange(connections, errors)
        rounds += 1
    os.read(0, 100)
    touch_late_parts(connections, context, errors, refusals)
    exchange(connections, errors)
    print(
        json.dumps({
            "version": tls.__version__, "errors": errors, "refusals": refusals, "rounds": rounds,
            "late": sorted(loaded() - before), "connections": len(connections),
        })
    )


main()
