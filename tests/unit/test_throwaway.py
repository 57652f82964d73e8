# SPDX-License-Identifier: Apache-2.0
"""make_throwaway_chain: the certificates that the check serves its loopback index with."""

import os

import pytest

import _tls_bootstrap as tls
from authority import run_openssl, write_file
from peers import MemoryPair

make = tls._core.make_throwaway_chain


@pytest.fixture
def files(tmpdir):
    parts = make(["localhost", "127.0.0.1", "::1", "*.example.org"], 3)
    paths = []
    for name, data in zip(("ca.pem", "cert.pem", "key.pem"), parts):
        paths.append(write_file(os.path.join(str(tmpdir), name), data))
    return paths


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "any.example.org"])
def test_it_serves_a_strict_client(files, version, host):
    client = tls.create_default_context(cafile=files[0])
    client.verify_flags |= tls.VERIFY_X509_STRICT
    client.minimum_version = client.maximum_version = version
    server = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files[1], files[2])
    MemoryPair(client, server, host).handshake()


def test_openssl_agrees(files):
    run_openssl(
        ["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost"]
        + ["-CAfile", files[0], files[1]]
    )


def test_the_names_are_in_it(files):
    with open(files[1]) as stream:
        info = tls._core.decode_certificate_der(tls.PEM_cert_to_DER_cert(stream.read()))
    assert info["subjectAltName"] == (
        ("DNS", "localhost"),
        ("IP Address", "127.0.0.1"),
        ("IP Address", "0:0:0:0:0:0:0:1"),
        ("DNS", "*.example.org"),
    )
    begin, end = (tls.cert_time_to_seconds(info[key]) for key in ("notBefore", "notAfter"))
    assert end - begin == 3 * 86400 + 3600


def test_each_chain_is_new():
    first, second = make(["localhost"], 1), make(["localhost"], 1)
    for one, other in zip(first, second):
        assert type(one) is bytes
        assert one != other


@pytest.mark.parametrize(
    "names, days, error",
    [
        ([], 1, ValueError),
        ("localhost", 1, TypeError),
        ([5], 1, TypeError),
        (["two words"], 1, ValueError),
        (["evil,DNS:other"], 1, ValueError),
        (["::zz"], 1, ValueError),
        ([""], 1, ValueError),
        (["nul\0byte"], 1, (ValueError, TypeError)),
        (None, 1, TypeError),
        (["localhost"], 0, ValueError),
        (["localhost"], -1, ValueError),
        (["localhost"], 36501, ValueError),
        (["localhost"], "1", TypeError),
    ],
)
def test_bad_arguments_are_refused(names, days, error):
    with pytest.raises(error):
        make(names, days)
