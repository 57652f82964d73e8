# SPDX-License-Identifier: Apache-2.0
"""Runs as `python -B -s probe_index.py MODULE-DIRECTORY HOST PORT AUTHORITIES` in the interpreter under examination.

One TLS handshake by `_tls_bootstrap` with an index; AUTHORITIES is a file to trust, or empty for the system's. Prints
one line of JSON: what was agreed on, or why it failed. TLS_BOOTSTRAP_CONF in the environment is obeyed.
"""

import socket
import sys

from answer import say

LIMIT = 15.0  # seconds


def probe(module_directory, host, port, authorities):
    sys.path.insert(0, module_directory)
    tls = __import__("_tls_bootstrap")
    del sys.path[0]
    try:
        plain = socket.create_connection((host, port), LIMIT)
    except (socket.error, UnicodeError) as error:
        return {"reached": False, "error": str(error)}
    facts = {"reached": True, "error": None}
    try:
        context = tls.create_default_context(cafile=authorities or None)
        for end in ("minimum", "maximum"):
            version = getattr(context, end + "_version")
            facts[end] = str(getattr(version, "name", version))
        connection = context.wrap_socket(plain, server_hostname=host)
    except (EnvironmentError, ValueError) as error:
        facts.update(error=str(error), reason=getattr(error, "reason", None), verify_code=getattr(error, "verify_code", None))
        return facts
    cipher = connection.cipher()
    facts.update(protocol=connection.version(), cipher=cipher and cipher[0], group=connection.group())
    connection.close()
    return facts


def main():
    del sys.path[0]  # the directory of this script
    module_directory, host, port, authorities = sys.argv[1:]
    say(probe(module_directory, host, int(port), authorities))


if __name__ == "__main__":
    main()
