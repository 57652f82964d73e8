# SPDX-License-Identifier: Apache-2.0
"""The ladder for other programs that install packages, and for libraries that do TLS in memory.

Depends on nothing: docs/redistributors.md has this text for programs that take it into their own tree.
"""


def find_tls(needs=()):
    """The best TLS of this interpreter: ("_tls_bootstrap" | "ssl" | "PyOpenSSL", module).

    The first two have the API of `ssl`; the last is `OpenSSL.SSL`. By features and never by versions: `ssl` is passed
    over when it lacks TLS 1.2, the server's name (SNI), or one of the names in `needs` (a library that does TLS in
    memory needs "MemoryBIO"), unless there is nothing better. Raises ImportError when there is no TLS at all.
    """
    if is_modern("_tls_bootstrap", needs):
        return "_tls_bootstrap", __import__("_tls_bootstrap")
    if is_modern("ssl", needs):
        return "ssl", __import__("ssl")
    try:
        return "PyOpenSSL", __import__("OpenSSL.SSL", fromlist=["SSL"])
    except Exception:  # not only ImportError: a new cryptography below an old pyOpenSSL raises others
        return "ssl", __import__("ssl")


def is_modern(name, needs=()):
    """True when the module of that name can be imported and has TLS 1.2, SNI and all names in `needs`. Never raises."""
    try:
        module = __import__(name)
        wanted = ("PROTOCOL_TLSv1_2", "SSLContext") + tuple(needs)
        return bool(getattr(module, "HAS_SNI", False)) and all(hasattr(module, need) for need in wanted)
    except Exception:  # an import can be put off until an attribute is wanted
        return False
