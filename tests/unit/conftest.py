# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the unit tests. `_tls_bootstrap` comes from PYTHONPATH (build/py3 or build/py2)."""

import os
import shutil

import pytest

import authority
import children
import peers

import _tls_bootstrap as tls


def pytest_report_header(config):
    core = tls._core
    return "_tls_bootstrap: %s, %s, %s" % (core.__file__, core.flavour, tls.OPENSSL_VERSION)


class Certificates(object):
    """Every certificate that several test files need."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = authority.Authority(self._subdirectory("authority"))
        self.stranger = authority.Authority(self._subdirectory("stranger"), "nobody trusts this")
        issue = self.authority.issue
        local = "DNS:localhost, IP:127.0.0.1, IP:::1"
        self.localhost = issue("localhost", local)
        self.localhost_rsa = issue("localhost-rsa", local, key="rsa")
        self.wrong_host = issue("elsewhere", "DNS:elsewhere.example")
        self.expired = issue("expired", local, start="20200101000000Z", end="20200201000000Z")
        self.not_yet_valid = issue("future", local, start="20400101000000Z", end="20400201000000Z")
        self.client = issue(
            "client", "email:client@example.org", extensions=authority.CLIENT_EXTENSIONS
        )
        self.untrusted = self.stranger.issue("untrusted", local)
        self.self_signed = self.authority.self_signed(
            "alone", "localhost", authority.SERVER_EXTENSIONS + "subjectAltName = DNS:localhost\n"
        )
        self.pkcs8_key = self.authority.encrypted_key(self.localhost_rsa.key, "pkcs8", "pkcs8")
        self.traditional_key = self.authority.encrypted_key(
            self.localhost_rsa.key, "traditional", "traditional"
        )
        intermediate = self.authority.subordinate(self._subdirectory("intermediate"), "intermediate")
        leaf = intermediate.issue("leaf", local)
        #: The leaf and the intermediate certificate in one file, as servers are configured.
        self.chain = authority.Identity(
            self.write(
                "chain.pem",
                authority.read_file(leaf.certificate) + authority.read_file(intermediate.certificate),
            ),
            leaf.key,
        )
        self.chain_leaf = leaf
        self.intermediate = intermediate

    def _subdirectory(self, name):
        path = os.path.join(self.directory, name)
        os.mkdir(path)
        return path

    def write(self, name, data):
        """Writes a file of a test; returns its path."""
        return authority.write_file(os.path.join(self.directory, name), data)


@pytest.fixture(scope="session")
def certificates(tmpdir_factory):
    return Certificates(str(tmpdir_factory.mktemp("certificates")))


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def version(request):
    """Each TLS version that must work, as a TLSVersion."""
    return getattr(tls.TLSVersion, request.param)


@pytest.fixture
def pair(certificates, version):
    """A client and a server that have shaken hands, as a MemoryPair; with each version."""
    client = peers.client_context(certificates, version)
    return peers.MemoryPair(client, peers.server_context(certificates.localhost, version)).handshake()


@pytest.fixture
def copy(tmpdir):
    """A copy of the package that a test may damage: the directory to import it from, and its core."""
    package = os.path.join(str(tmpdir), "_tls_bootstrap")
    # Without byte code: the interpreters that are tested at the same time write theirs in there.
    leave = shutil.ignore_patterns("*.pyc", "__pycache__")
    shutil.copytree(os.path.join(children.TREE, "_tls_bootstrap"), package, ignore=leave)
    return str(tmpdir), os.path.join(package, os.path.basename(tls._core.__file__))
