# SPDX-License-Identifier: Apache-2.0
"""What a module with the interface of ssl makes of the distribution's configuration of OpenSSL.

    python distribution.py MODULE WEAK        (Python 2.7 and 3)

WEAK is a directory with certificate.pem and key.pem, an RSA key of 1024 bits.  Prints one JSON object: the lowest
protocol of a new context, its ciphers, its security level (None where the module cannot tell), whether a context takes
the weak key, and which OpenSSL it is.
"""

from __future__ import print_function

import importlib
import json
import os
import sys


def context_of(module):
    return module.SSLContext(getattr(module, "PROTOCOL_TLS_CLIENT", module.PROTOCOL_SSLv23))


def takes(module, directory):
    """Whether a key below the security level is taken; the distribution decides that."""
    try:
        context_of(module).load_cert_chain(os.path.join(directory, "certificate.pem"), os.path.join(directory, "key.pem"))
        return True
    except module.SSLError as error:
        assert "KEY_TOO_SMALL" in str(error), error
        return False


def main():
    module = importlib.import_module(sys.argv[1])
    context = context_of(module)
    lowest = getattr(context, "minimum_version", None)
    report = {
        "lowest protocol": None if lowest is None else int(lowest),
        "ciphers": [each["name"] for each in context.get_ciphers()] if hasattr(context, "get_ciphers") else None,
        "security level": getattr(context, "security_level", None),
        "takes a weak key": takes(module, sys.argv[2]),
        "OpenSSL": module.OPENSSL_VERSION,
    }
    print(json.dumps(report, sort_keys=True))


if __name__ == "__main__":
    main()
