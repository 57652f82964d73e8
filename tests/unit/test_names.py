# SPDX-License-Identifier: Apache-2.0
"""Names that programs import, and what kind of thing they find."""

import os
import pickle
import socket

import pytest

import _tls_bootstrap as tls

#: Imported in one statement by urllib3 2, or touched by pip's truststore and requests.
PIP_NEEDS = """
    CERT_NONE CERT_OPTIONAL CERT_REQUIRED CertificateError HAS_ALPN HAS_NEVER_CHECK_COMMON_NAME HAS_SNI
    MemoryBIO OPENSSL_VERSION OPENSSL_VERSION_INFO OPENSSL_VERSION_NUMBER OP_NO_COMPRESSION OP_NO_SSLv2
    OP_NO_SSLv3 OP_NO_TICKET Options PROTOCOL_SSLv23 PROTOCOL_TLS PROTOCOL_TLS_CLIENT Purpose SSLContext
    SSLError SSLObject SSLSession SSLSocket SSLWantReadError SSLWantWriteError SSLZeroReturnError
    SSLCertVerificationError SSLEOFError SSLSyscallError TLSVersion VERIFY_X509_PARTIAL_CHAIN
    VERIFY_X509_STRICT VerifyFlags VerifyMode create_default_context match_hostname wrap_socket
    get_default_verify_paths PEM_cert_to_DER_cert DER_cert_to_PEM_cert
""".split()

CONTEXT_PROPERTIES = """
    check_hostname keylog_filename maximum_version minimum_version num_tickets
    options post_handshake_auth protocol security_level sni_callback verify_flags verify_mode
""".split()

#: The public names of Python 3.6's ssl that are always there on a POSIX system.
PYTHON_3_6 = """
    AlertDescription CHANNEL_BINDING_TYPES CertificateError DefaultVerifyPaths HAS_ECDH HAS_NPN HAS_TLSv1_3
    OP_ALL OP_CIPHER_SERVER_PREFERENCE OP_ENABLE_MIDDLEBOX_COMPAT OP_NO_TLSv1 OP_NO_TLSv1_1 OP_NO_TLSv1_2
    OP_NO_TLSv1_3 OP_SINGLE_DH_USE OP_SINGLE_ECDH_USE PEM_FOOTER PEM_HEADER PROTOCOL_TLS_SERVER
    PROTOCOL_TLSv1 PROTOCOL_TLSv1_1 PROTOCOL_TLSv1_2 RAND_add RAND_bytes RAND_pseudo_bytes RAND_status
    SSLErrorNumber SSL_ERROR_EOF SSL_ERROR_INVALID_ERROR_CODE SSL_ERROR_SSL SSL_ERROR_SYSCALL
    SSL_ERROR_WANT_CONNECT SSL_ERROR_WANT_READ SSL_ERROR_WANT_WRITE SSL_ERROR_WANT_X509_LOOKUP
    SSL_ERROR_ZERO_RETURN VERIFY_CRL_CHECK_CHAIN VERIFY_CRL_CHECK_LEAF VERIFY_DEFAULT
    VERIFY_X509_TRUSTED_FIRST cert_time_to_seconds create_connection get_protocol_name
    get_server_certificate socket_error
""".split()


@pytest.mark.parametrize("name", PIP_NEEDS + PYTHON_3_6)
def test_the_name_is_there(name):
    assert getattr(tls, name) is not None
    assert name in dir(tls)


@pytest.mark.parametrize("name", CONTEXT_PROPERTIES)
def test_the_property_can_be_reached_on_a_base_of_the_context(name):
    # pip's truststore reads and writes them through super(SSLContext, SSLContext).
    descriptor = getattr(super(tls.SSLContext, tls.SSLContext), name)
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    descriptor.__get__(context)
    assert name in dir(context)


def test_one_import_statement():
    namespace = {}
    exec("from _tls_bootstrap import " + ", ".join(PIP_NEEDS), namespace)
    assert set(PIP_NEEDS) <= set(namespace)
    exec("from _tls_bootstrap import *", namespace)
    assert set(PIP_NEEDS + PYTHON_3_6) <= set(namespace)


def test_names_that_are_not_there_are_attribute_errors():
    with pytest.raises(AttributeError) as caught:
        tls.no_such_name
    assert "no_such_name" in str(caught.value)


def test_what_is_still_to_be_resolved_is_known_without_the_list():
    names = tls._names
    unbound = [name for name in dir(tls) if name not in vars(tls)]
    assert [name for name in unbound if not names.lists(name)] == []
    assert not names.lists("no_such_name") and not names.lists("OP_NO_SUCH_NAME")


ENUMERATIONS = [
    ("AlertDescription", "ALERT_DESCRIPTION_", "ALERT_DESCRIPTION_ACCESS_DENIED", 49),
    ("VerifyMode", "CERT_", "CERT_REQUIRED", 2),
    ("SSLErrorNumber", "SSL_ERROR_", "SSL_ERROR_WANT_READ", 2),
    ("Options", "OP_", "OP_NO_TICKET", 0x4000),
    ("VerifyFlags", "VERIFY_", "VERIFY_X509_STRICT", 32),
    ("TLSVersion", "TLSv", "TLSv1_3", 772),
]


@pytest.mark.parametrize("name, prefix, member, value", ENUMERATIONS, ids=[row[0] for row in ENUMERATIONS])
def test_enumerations(name, prefix, member, value):
    kind = getattr(tls, name)
    found = getattr(kind, member)
    assert found == value and int(found) == value
    assert isinstance(found, int)
    assert found.name == member and found.value == value
    assert kind(value) is found
    assert kind[member] is found
    assert member in [each.name for each in kind]
    assert member in repr(found)
    with pytest.raises(KeyError):
        kind["no such member"]
    if name != "TLSVersion":
        assert getattr(tls, member) is found


def test_flags_keep_their_type():
    both = tls.Options.OP_NO_TICKET | tls.Options.OP_NO_COMPRESSION
    assert isinstance(both, tls.Options)
    assert both & tls.OP_NO_TICKET == tls.OP_NO_TICKET
    assert isinstance(both & ~tls.OP_NO_TICKET, tls.Options)
    assert both & ~tls.OP_NO_TICKET == tls.OP_NO_COMPRESSION
    assert both ^ tls.OP_NO_TICKET == tls.OP_NO_COMPRESSION


@pytest.mark.parametrize("purpose", ["SERVER_AUTH", "CLIENT_AUTH"])
def test_a_purpose_is_what_openssl_says_of_it(purpose):
    member = tls.Purpose[purpose]
    assert tuple(member) == tls._core.txt2obj(member.oid, name=False) == tls._core.nid2obj(member.nid)


def test_the_exceptions_are_a_family():
    for name in ("SSLZeroReturnError", "SSLWantReadError", "SSLWantWriteError", "SSLSyscallError", "SSLEOFError"):
        assert issubclass(getattr(tls, name), tls.SSLError)
    assert issubclass(tls.SSLError, socket.error)
    assert issubclass(tls.SSLError, EnvironmentError)
    assert tls.CertificateError is tls.SSLCertVerificationError
    assert issubclass(tls.CertificateError, ValueError)
    assert tls.socket_error is socket.error


def test_an_error_of_ones_own():
    error = tls.SSLError(1, "text")
    assert (error.errno, error.strerror, str(error)) == (1, "text", "text")
    assert error.library is None and error.reason is None
    assert error.args == (1, "text")
    assert str(tls.SSLError("only text")) == "only text"


def test_errors_can_be_pickled():
    again = pickle.loads(pickle.dumps(tls.SSLError(1, "text")))
    assert type(again) is tls.SSLError and again.args == (1, "text")


def test_version_numbers_agree():
    number, info = tls.OPENSSL_VERSION_NUMBER, tls.OPENSSL_VERSION_INFO
    assert len(info) == 5
    assert number >> 28 == info[0]
    assert number >> 20 & 0xFF == info[1]
    assert number >> 12 & 0xFF == info[2]
    assert number >> 4 & 0xFF == info[3]
    assert number & 0xF == info[4]
    assert tls.OPENSSL_VERSION.startswith("OpenSSL %d.%d." % info[:2])
    assert tls._OPENSSL_API_VERSION[:2] <= info[:2]


def test_constants_are_the_standard_librarys_where_they_do_not_depend_on_openssl():
    standard = pytest.importorskip("ssl", reason="this Python has no ssl to compare with")
    prefixes = ("ALERT_", "CERT_", "PROTOCOL_", "SSL_ERROR_", "HAS_SNI", "HAS_ALPN", "PEM_HEADER", "PEM_FOOTER")
    compared = 0
    for name in dir(standard):
        if name.startswith(prefixes) and name not in ("PROTOCOL_SSLv3", "PROTOCOL_SSLv2"):
            assert getattr(tls, name) == getattr(standard, name), name
            compared += 1
    assert compared > 30


def test_random_numbers():
    assert len(tls.RAND_bytes(20)) == 20
    assert tls.RAND_bytes(20) != tls.RAND_bytes(20)
    assert tls.RAND_bytes(0) == b""
    assert tls.RAND_status()
    tls.RAND_add(b"seed", 0.0)
    tls.RAND_add("text seed", 1.0)
    data, strong = tls.RAND_pseudo_bytes(16)
    assert len(data) == 16 and strong is True
    for bad in (-1, -(2 ** 31)):
        with pytest.raises(ValueError):
            tls.RAND_bytes(bad)


def test_object_identifiers():
    purpose = tls.Purpose.SERVER_AUTH
    assert purpose.oid == "1.3.6.1.5.5.7.3.1"
    assert purpose.shortname == "serverAuth"
    assert tls.Purpose.CLIENT_AUTH.longname == "TLS Web Client Authentication"


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("May  9 00:00:00 2007 GMT", 1178668800),
        ("Jan  5 09:34:43 2018 GMT", 1515144883),
        ("Feb 29 12:00:00 2000 GMT", 951825600),
        ("Dec 31 23:59:59 9999 GMT", 253402300799),
    ],
)
def test_certificate_times(text, seconds):
    assert tls.cert_time_to_seconds(text) == seconds
    assert tls.cert_time_to_seconds(cert_time=text.upper()) == seconds


@pytest.mark.parametrize("text", ["", "Jan  5 09:34:43 2018", "Jnuary 5 09:34:43 2018 GMT", "Feb 30 00:00:00 2000 GMT"])
def test_impossible_certificate_times(text):
    with pytest.raises(ValueError):
        tls.cert_time_to_seconds(text)


def test_protocol_names():
    assert tls.get_protocol_name(tls.PROTOCOL_TLSv1_2) == "PROTOCOL_TLSv1_2"
    assert tls.get_protocol_name(-1) == "<unknown>"


def test_everything_public_of_a_module_file_exists():
    # A name that dir() lists but nobody can get would break `from _tls_bootstrap import *`.
    for name in dir(tls):
        getattr(tls, name)
    assert os.path.isabs(tls._core.__file__)
