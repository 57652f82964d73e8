# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the isolation tests. `_tls_bootstrap` comes from PYTHONPATH (build/py3 or build/py2)."""

import os

import pytest

import _tls_bootstrap as tls


def pytest_report_header(config):
    core = tls._core
    return "_tls_bootstrap: %s, %s, %s" % (core.__file__, core.flavour, tls.OPENSSL_VERSION)


@pytest.fixture(scope="session")
def certificates(tmpdir_factory):
    """A directory with ca.pem, certificate.pem and key.pem for "localhost"."""
    directory = str(tmpdir_factory.mktemp("certificates"))
    chain = tls._core.make_throwaway_chain(["localhost"], 1)
    for name, data in zip(("ca", "certificate", "key"), chain):
        with open(os.path.join(directory, name + ".pem"), "wb") as stream:
            stream.write(data)
    return directory
