# SPDX-License-Identifier: Apache-2.0
"""Certificates for programs of the audit that must not need `_tls_bootstrap` themselves."""

from __future__ import annotations

from openssl.errors import BuildError
from toolkit.audit.model import Build
from toolkit.audit.run import interpreters_for, run

PROGRAM = """
import os, sys
from _tls_bootstrap import _core
for name, data in zip(("ca", "certificate", "key"), _core.make_throwaway_chain(["localhost"], 1)):
    with open(os.path.join(sys.argv[1], name + ".pem"), "wb") as stream:
        stream.write(data)
"""


def make_certificates(build: Build, directory: str) -> None:
    """Write ca.pem, certificate.pem and key.pem for "localhost", valid for a day. Raises BuildError."""
    done = run([interpreters_for(build)[0].path, "-c", PROGRAM, directory], {"PYTHONPATH": str(build.tree)})
    if done.status:
        raise BuildError(f"making certificates with {build.label} {done.complaint()}")
