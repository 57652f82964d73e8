# SPDX-License-Identifier: Apache-2.0
"""`make check`: the built tree completes a TLS 1.3 and a TLS 1.2 handshake with itself, in memory, under PYTHON.

    python -m core.selfcheck [--flavour bundled|system]

It needs no network and no test framework, so that debian/rules and the spec's %check can run it in a clean builder.
"""

import argparse
import os
import subprocess
import sys

from core.install import site_directory
from openssl import source
from openssl.errors import BuildError, run_main

PROGRAM = r"""
import os, sys, tempfile
import _tls_bootstrap as tls
from _tls_bootstrap import _core

def fail(text):
    sys.exit("FAILED " + text)

tree, flavour, openssl_version, release = sys.argv[1:5]
if tls.__version__ != release:
    fail("the module says it is %s, VERSION says %s" % (tls.__version__, release))
if not os.path.realpath(tls.__file__).startswith(os.path.realpath(tree) + os.sep):
    fail("_tls_bootstrap came from %s, not from %s" % (tls.__file__, tree))
if flavour == "bundled" and " %s " % openssl_version not in tls.OPENSSL_VERSION:
    fail("the module reports %s, the source says %s" % (tls.OPENSSL_VERSION, openssl_version))
if "ssl" in sys.modules or "_ssl" in sys.modules:
    fail("importing _tls_bootstrap imported ssl")

host = "check.invalid"
authority, certificate, key = _core.make_throwaway_chain([host], 1)

def file_of(data):
    descriptor, path = tempfile.mkstemp()
    os.write(descriptor, data)
    os.close(descriptor)
    return path

paths = [file_of(certificate), file_of(key), file_of(authority)]
try:
    for wanted in ("TLSv1.3", "TLSv1.2"):
        version = getattr(tls.TLSVersion, wanted.replace(".", "_"))
        server = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(paths[0], paths[1])
        client = tls.create_default_context(cafile=paths[2])
        client.minimum_version = client.maximum_version = version
        to_server, to_client = tls.MemoryBIO(), tls.MemoryBIO()
        ends = [
            client.wrap_bio(to_client, to_server, server_hostname=host),
            server.wrap_bio(to_server, to_client, server_side=True),
        ]
        waiting = list(ends)
        for _ in range(20):
            for end in list(waiting):
                try:
                    end.do_handshake()
                    waiting.remove(end)
                except tls.SSLWantReadError:
                    pass
            if not waiting:
                break
        else:
            fail("%s handshake does not come to an end" % wanted)
        ends[0].write(b"ping")
        if ends[1].read(16) != b"ping":
            fail("%s: the data arrived changed" % wanted)
        if ends[0].version() != wanted:
            fail("%s was asked for, %s was negotiated" % (wanted, ends[0].version()))
        print("ok %s %s python %s, %s" % (wanted, ends[0].cipher()[0], sys.version.split()[0], tls.OPENSSL_VERSION))
    try:
        client = tls.create_default_context()
        to_server, to_client = tls.MemoryBIO(), tls.MemoryBIO()
        untrusting = client.wrap_bio(to_client, to_server, server_hostname=host)
        trusted = server.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(20):
            for end in (untrusting, trusted):
                try:
                    end.do_handshake()
                except tls.SSLWantReadError:
                    pass
        fail("an untrusted certificate was accepted")
    except tls.SSLCertVerificationError:
        print("ok an untrusted certificate is refused")
finally:
    for path in paths:
        os.unlink(path)
"""


def main(arguments):
    parser = argparse.ArgumentParser(prog="core.selfcheck", description="Check the tree just built.")
    parser.add_argument("--flavour", choices=["bundled", "system"], default="bundled")
    chosen = parser.parse_args(arguments)
    python = os.environ.get("PYTHON") or sys.executable
    major = site_directory(python)[0]
    top = "build" if chosen.flavour == "bundled" else os.path.join("build", chosen.flavour)
    tree = os.path.join(top, "py%d" % major)
    if not os.path.isdir(tree):
        raise BuildError("%s is not built: run make build FLAVOUR=%s first" % (tree, chosen.flavour))
    with open("VERSION") as stream:
        release = stream.read().strip()
    environ = dict(os.environ, PYTHONPATH=os.path.abspath(tree))
    command = [python, "-s", "-c", PROGRAM, tree, chosen.flavour, source.version(), release]
    if subprocess.call(command, env=environ):
        raise BuildError("make check failed for %s" % tree)


if __name__ == "__main__":
    run_main(main)
