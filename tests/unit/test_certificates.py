# SPDX-License-Identifier: Apache-2.0
"""What a certificate looks like as a dict, and whom it is valid for."""

import os
import random
import re
import subprocess

import pytest

import _tls_bootstrap as tls
from authority import SERVER_EXTENSIONS, read_file
from peers import MemoryPair, client_context, server_context

EVERY_NAME = (
    "DNS:first.example, DNS:*.wild.example, email:user@example.org, URI:https://example.org/path, "
    "IP:192.0.2.255, IP:2001:db8::ff00:0:1, RID:1.2.3.4.5, RID:1.3.6.1.5.5.7.3.1, "
    "otherName:1.2.3.4;UTF8:some identifier, dirName:directory"
)
DIRECTORY = "[directory]\nC = XY\nO = some organisation\nCN = directory name\n"
POINTERS = """
authorityInfoAccess = OCSP;URI:http://ocsp.example/, OCSP;URI:http://ocsp2.example/, caIssuers;URI:http://ca.example/ca.cer
crlDistributionPoints = URI:http://crl.example/1.crl, URI:http://crl.example/2.crl
"""


def decode(path):
    """The dict of a certificate file, through the core."""
    return tls._core.decode_certificate_der(der_of(path))


def der_of(path):
    return tls.PEM_cert_to_DER_cert(read_file(path).decode("ascii"))


@pytest.fixture(scope="module")
def rich(certificates):
    return certificates.authority.issue(
        "rich",
        EVERY_NAME,
        extensions=SERVER_EXTENSIONS + POINTERS,
        sections=DIRECTORY,
        subject=u"/C=DE/O=\u00c4pfel \u4e16\u754c/OU=one+OU=two/CN=first.example",
        start="20200108030405Z",
        end="20591231235959Z",
    )


def test_names(rich):
    info = decode(rich.certificate)
    organisation = u"\u00c4pfel \u4e16\u754c"
    assert info["subject"] == (
        (("countryName", "DE"),),
        (("organizationName", native(organisation)),),
        (("organizationalUnitName", "one"), ("organizationalUnitName", "two")),
        (("commonName", "first.example"),),
    ) or info["subject"] == (
        (("countryName", "DE"),),
        (("organizationName", native(organisation)),),
        (("organizationalUnitName", "one"),),
        (("organizationalUnitName", "two"),),
        (("commonName", "first.example"),),
    )
    assert info["issuer"] == ((("commonName", "tests/unit authority"),),)


def native(text):
    """`text` as `str` of this Python, as the core returns it."""
    return text if str is not bytes else text.encode("utf-8")


def test_alternative_names(rich):
    assert decode(rich.certificate)["subjectAltName"] == (
        ("DNS", "first.example"),
        ("DNS", "*.wild.example"),
        ("email", "user@example.org"),
        ("URI", "https://example.org/path"),
        ("IP Address", "192.0.2.255"),
        ("IP Address", "2001:DB8:0:0:0:FF00:0:1"),
        ("Registered ID", "1.2.3.4.5"),
        ("Registered ID", "TLS Web Server Authentication"),
        ("othername", "<unsupported>"),
        (
            "DirName",
            (
                (("countryName", "XY"),),
                (("organizationName", "some organisation"),),
                (("commonName", "directory name"),),
            ),
        ),
    )


def test_pointers(rich):
    info = decode(rich.certificate)
    assert info["OCSP"] == ("http://ocsp.example/", "http://ocsp2.example/")
    assert info["caIssuers"] == ("http://ca.example/ca.cer",)
    assert info["crlDistributionPoints"] == (
        "http://crl.example/1.crl",
        "http://crl.example/2.crl",
    )


def test_version_serial_and_times(rich):
    info = decode(rich.certificate)
    assert info["version"] == 3
    assert info["notBefore"] == "Jan  8 03:04:05 2020 GMT"
    assert info["notAfter"] == "Dec 31 23:59:59 2059 GMT"
    printed = subprocess.check_output(
        ["openssl", "x509", "-noout", "-serial", "-in", rich.certificate]
    ).decode("ascii")
    assert "serial=" + info["serialNumber"] == printed.strip()
    assert tls.cert_time_to_seconds(info["notBefore"]) == 1578452645


def test_absent_extensions_have_no_key(certificates):
    info = decode(certificates.authority.certificate)
    assert sorted(info) == [
        "issuer",
        "notAfter",
        "notBefore",
        "serialNumber",
        "subject",
        "version",
    ]


def test_everything_is_native_text(rich):
    def check(value):
        if isinstance(value, (tuple, dict)):
            for item in value.items() if isinstance(value, dict) else value:
                check(item)
        else:
            assert type(value) in (str, int)

    check(decode(rich.certificate))


def test_the_peers_certificate(certificates, version, rich):
    client = client_context(certificates, version)
    pair = MemoryPair(client, server_context(rich, version), "first.example").handshake()
    assert pair.client.getpeercert() == decode(rich.certificate)
    assert pair.client.getpeercert(binary_form=True) == der_of(rich.certificate)
    MemoryPair(client, server_context(rich, version), "any.wild.example").handshake()


def test_embedded_nul_is_kept(certificates, version):
    # The classic attack: a name that a C string comparison would cut at the NUL.
    identity = certificates.authority.issue(
        "embedded-nul",
        extensions=SERVER_EXTENSIONS
        + "subjectAltName = DER:%s\n" % nul_name_der(b"localhost\0.evil.example"),
    )
    names = decode(identity.certificate)["subjectAltName"]
    assert names == (("DNS", "localhost\0.evil.example"),)
    with pytest.raises(tls.SSLCertVerificationError):
        MemoryPair(client_context(certificates, version), server_context(identity, version)).handshake()


def nul_name_der(name):
    """SEQUENCE { [2] name } in hexadecimal digits."""
    inner = bytearray([0x82, len(name)]) + bytearray(name)
    return "".join("%02X" % byte for byte in bytearray([0x30, len(inner)]) + inner)


ODD = [
    ("3000", ()),
    ("3006870411223344", (("IP Address", "17.34.51.68"),)),
    ("300587031122FF", (("IP Address", "<invalid>"),)),
    ("3002A300", (("X400Name", "<unsupported>"),)),
    ("FFFF", None),
]


@pytest.mark.parametrize("encoded, expected", ODD, ids=[row[0] for row in ODD])
def test_odd_alternative_names(certificates, encoded, expected):
    identity = certificates.authority.issue(
        "odd" + encoded, extensions=SERVER_EXTENSIONS + "subjectAltName = DER:%s\n" % encoded
    )
    info = decode(identity.certificate)
    assert info.get("subjectAltName") == expected
    assert info["subject"][0] == (("organizationName", "tests"),)
    # What was unreadable must not surface in a later, unrelated error.
    with pytest.raises(tls.SSLError) as caught:
        tls.SSLContext(tls.PROTOCOL_TLS_SERVER).load_cert_chain(certificates.client.certificate)
    assert caught.value.library in ("SSL", "PEM")


def test_names_that_are_not_utf_8_are_an_error(certificates):
    identity = certificates.authority.issue(
        "latin", extensions=SERVER_EXTENSIONS + "subjectAltName = DER:%s\n" % nul_name_der(b"m\xfcller.example")
    )
    if str is bytes:
        assert decode(identity.certificate)["subjectAltName"] == (("DNS", "m\xfcller.example"),)
    else:
        with pytest.raises(UnicodeDecodeError):
            decode(identity.certificate)


def test_decoding_a_file_directly(certificates, rich):
    path = os.path.join(rich.certificate)
    encoded = path if str is bytes else os.fsencode(path)
    if str is bytes and not isinstance(encoded, str):
        encoded = encoded.encode("utf-8")
    assert tls._core._test_decode_cert(encoded) == decode(rich.certificate)
    missing = os.path.join(certificates.directory, "missing.pem").encode("utf-8")
    with pytest.raises(EnvironmentError) as caught:
        tls._core._test_decode_cert(missing)
    assert "missing.pem" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\0", b"\x30\x82\xff\xff", b"x" * 1000])
def test_garbage_is_not_decoded(data):
    with pytest.raises(tls.SSLError):
        tls._core.decode_certificate_der(data)


def test_every_truncation_and_surplus_is_refused(rich):
    der = der_of(rich.certificate)
    for length in range(0, len(der), 13):
        with pytest.raises(tls.SSLError):
            tls._core.decode_certificate_der(der[:length])
    with pytest.raises(tls.SSLError) as caught:
        tls._core.decode_certificate_der(der + b"surplus")
    assert "7 bytes follow" in str(caught.value)


def test_damaged_certificates_never_do_worse_than_an_error(rich):
    der = der_of(rich.certificate)
    generator = random.Random(20261123)
    decoded = refused = 0
    for _ in range(3000):
        damaged = bytearray(der)
        for _ in range(generator.randint(1, 3)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        try:
            assert isinstance(tls._core.decode_certificate_der(damaged), dict)
            decoded += 1
        except (tls.SSLError, UnicodeDecodeError):
            refused += 1
    assert decoded > 100 and refused > 100


class TestCertificateObjects(object):
    @pytest.fixture
    def chain(self, certificates):
        pair = MemoryPair(client_context(certificates), server_context(certificates.chain))
        return pair.handshake().client._sslobj.get_verified_chain()

    def test_forms(self, certificates, chain):
        leaf = chain[0]
        assert leaf.public_bytes(tls._core.ENCODING_DER) == der_of(certificates.chain_leaf.certificate)
        pem = leaf.public_bytes()
        assert type(pem) is str
        assert pem == leaf.public_bytes(tls._core.ENCODING_PEM) == leaf.public_bytes(format=1)
        assert tls.PEM_cert_to_DER_cert(pem) == leaf.public_bytes(2)
        assert leaf.get_info() == decode(certificates.chain_leaf.certificate)
        with pytest.raises(ValueError):
            leaf.public_bytes(99)
        with pytest.raises(TypeError):
            leaf.public_bytes("PEM")

    def test_identity(self, certificates, chain):
        again = MemoryPair(client_context(certificates), server_context(certificates.chain))
        other = again.handshake().client._sslobj.get_unverified_chain()
        assert other == chain[:2]
        assert [hash(c) for c in other] == [hash(c) for c in chain[:2]]
        assert len(set(chain)) == 3
        assert chain[0] != chain[1]
        assert not chain[0] == "a certificate"
        assert re.search("CN=leaf", repr(chain[0]))

    def test_they_outlive_the_connection(self, certificates):
        pair = MemoryPair(client_context(certificates), server_context(certificates.chain))
        leaf = pair.handshake().client._sslobj.get_verified_chain()[0]
        info = leaf.get_info()
        del pair
        assert leaf.get_info() == info

    def test_they_cannot_be_made(self, chain):
        with pytest.raises(TypeError):
            type(chain[0])()


MATCHES = [
    ("first.example", True),
    ("FIRST.example", True),
    ("any.wild.example", True),
    ("two.levels.wild.example", False),
    ("wild.example", False),
    ("192.0.2.255", True),
    ("192.0.2.25", False),
    ("2001:db8::ff00:0:1", True),
    ("2001:db8::ff00:0:2", False),
    ("second.example", False),
]


@pytest.mark.parametrize("name, matches", MATCHES, ids=[row[0] for row in MATCHES])
def test_match_hostname(rich, name, matches):
    certificate = decode(rich.certificate)
    if matches:
        assert tls.match_hostname(certificate, name) is None
    else:
        with pytest.raises(tls.CertificateError) as caught:
            tls.match_hostname(certificate, name)
        assert name in str(caught.value)


def test_match_hostname_needs_a_certificate():
    for nothing in (None, {}):
        with pytest.raises(ValueError):
            tls.match_hostname(nothing, "localhost")


def test_ca_certificates_of_a_context(certificates):
    client = client_context(certificates)
    assert client.get_ca_certs() == [decode(certificates.authority.certificate)]
    assert client.get_ca_certs(binary_form=True) == [der_of(certificates.authority.certificate)]
    client.load_verify_locations(certificates.localhost.certificate)
    assert client.cert_store_stats() == {"x509": 2, "x509_ca": 1, "crl": 0}
    assert len(client.get_ca_certs()) == 1
