# SPDX-License-Identifier: Apache-2.0
"""Files, keys and passwords that are wrong: one clear error, nothing half loaded, no prompt."""

import errno
import os

import pytest

import _tls_bootstrap as tls
from authority import PASSWORD, read_file
from children import run_python
from peers import MemoryPair, client_context, server_context


@pytest.fixture
def context():
    return tls.SSLContext(tls.PROTOCOL_TLS_SERVER)


def truncations(pem):
    """The PEM text cut in its header, in its data and before its last line."""
    lines = pem.splitlines(True)
    return [pem[:10], b"".join(lines[:-1]), pem[: len(pem) // 2], pem[: len(pem) - 20]]


GARBAGE = [b"", b"\0" * 100, b"not a certificate\n", b"\xff\xfe" * 500]


@pytest.mark.parametrize("which", range(4))
def test_a_truncated_certificate_is_refused(certificates, context, which):
    data = truncations(read_file(certificates.localhost.certificate))[which]
    path = certificates.write("truncated.pem", data)
    with pytest.raises(tls.SSLError) as caught:
        context.load_cert_chain(path, certificates.localhost.key)
    assert caught.value.library in ("SSL", "PEM", "ASN1", "X509")
    with pytest.raises(tls.SSLError):
        context.load_verify_locations(path)


@pytest.mark.parametrize("which", range(4))
def test_garbage_is_refused(certificates, context, which):
    path = certificates.write("garbage.pem", GARBAGE[which])
    with pytest.raises(tls.SSLError):
        context.load_cert_chain(path)
    with pytest.raises(tls.SSLError):
        context.load_cert_chain(certificates.localhost.certificate, path)
    with pytest.raises(tls.SSLError):
        context.load_verify_locations(path)


@pytest.mark.parametrize("which", range(4))
def test_a_truncated_key_is_refused(certificates, context, which):
    data = truncations(read_file(certificates.localhost.key))[which]
    path = certificates.write("truncated.key", data)
    with pytest.raises(tls.SSLError):
        context.load_cert_chain(certificates.localhost.certificate, path)


def test_a_certificate_file_without_a_key_is_refused(certificates, context):
    with pytest.raises(tls.SSLError):
        context.load_cert_chain(certificates.localhost.certificate)


@pytest.mark.parametrize("certificate, key", [("localhost", "client"), ("localhost", "localhost_rsa")])
def test_a_key_that_does_not_match_is_refused(certificates, context, certificate, key):
    with pytest.raises(tls.SSLError) as caught:
        context.load_cert_chain(
            getattr(certificates, certificate).certificate, getattr(certificates, key).key
        )
    assert caught.value.reason in (
        "KEY_VALUES_MISMATCH",
        "KEY_TYPE_MISMATCH",
        "NO_CERTIFICATE_ASSIGNED",
    )


def test_a_missing_file_is_named_by_its_errno(certificates, context):
    missing = os.path.join(certificates.directory, "does-not-exist")
    for load in (
        lambda: context.load_cert_chain(missing),
        lambda: context.load_cert_chain(certificates.localhost.certificate, missing),
        lambda: context.load_verify_locations(missing),
        lambda: context.load_dh_params(missing),
    ):
        with pytest.raises(EnvironmentError) as caught:
            load()
        assert caught.value.errno == errno.ENOENT
        assert not isinstance(caught.value, tls.SSLError)


@pytest.mark.parametrize("form", ["pkcs8_key", "traditional_key"])
class TestEncryptedKeys(object):
    def load(self, certificates, context, form, password):
        context.load_cert_chain(
            certificates.localhost_rsa.certificate, getattr(certificates, form), password
        )

    @pytest.mark.parametrize("kind", [str, lambda s: s.encode("ascii"), lambda s: bytearray(s.encode("ascii"))])
    def test_the_right_password_opens_it(self, certificates, context, form, kind):
        self.load(certificates, context, form, kind(PASSWORD))
        MemoryPair(client_context(certificates), context).handshake()

    def test_a_function_may_give_the_password(self, certificates, context, form):
        self.load(certificates, context, form, lambda: PASSWORD)
        MemoryPair(client_context(certificates), context).handshake()

    def test_a_wrong_password_is_refused(self, certificates, context, form):
        with pytest.raises(tls.SSLError):
            self.load(certificates, context, form, "wrong")
        with pytest.raises(tls.SSLError):
            self.load(certificates, context, form, "")

    def test_an_overlong_password_is_refused(self, certificates, context, form):
        for password in ("x" * 1025, b"x" * 102400, bytearray(1025), lambda: "x" * 1025):
            with pytest.raises(ValueError) as caught:
                self.load(certificates, context, form, password)
            assert "cannot be longer than" in str(caught.value)

    def test_a_failing_password_function_is_heard(self, certificates, context, form):
        class Mine(Exception):
            pass

        def fail():
            raise Mine("no password today")

        with pytest.raises(Mine):
            self.load(certificates, context, form, fail)

    def test_a_password_that_is_no_text_is_refused(self, certificates, context, form):
        for password in (5, lambda: 5, ["list"]):
            with pytest.raises(TypeError):
                self.load(certificates, context, form, password)

    def test_without_password_or_terminal_it_is_an_error(self, certificates, form):
        result = run_python(
            "import sys, _tls_bootstrap as tls\n"
            "context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)\n"
            "try:\n"
            "    context.load_cert_chain(sys.argv[1], sys.argv[2])\n"
            "except tls.SSLError:\n"
            "    print('SSLError')\n",
            [certificates.localhost_rsa.certificate, getattr(certificates, form)],
        )
        assert (result.status, result.output.strip()) == (0, "SSLError"), result.errors
        assert "pass phrase" not in result.output + result.errors


class TestCertificatesInMemory(object):
    def test_pem_text_and_der_bytes(self, certificates, version):
        pem = read_file(certificates.authority.certificate).decode("ascii")
        for data in (pem, tls.PEM_cert_to_DER_cert(str(pem)), bytearray(tls.PEM_cert_to_DER_cert(str(pem)))):
            client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            client.load_verify_locations(cadata=data)
            assert client.cert_store_stats() == {"x509": 1, "x509_ca": 1, "crl": 0}
            MemoryPair(client, server_context(certificates.localhost, version)).handshake()

    def test_several_certificates_and_comments(self, certificates):
        text = u"a comment\n"
        ders = b""
        for name in (certificates.authority, certificates.stranger):
            pem = read_file(name.certificate).decode("ascii")
            text += u"before\n" + pem + u"after\n"
            ders += tls.PEM_cert_to_DER_cert(str(pem))
        for data in (text, ders):
            client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            client.load_verify_locations(cadata=data)
            assert client.cert_store_stats()["x509"] == 2

    @pytest.mark.parametrize(
        "data", [u"broken", b"broken", u"", b"", u"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    )
    def test_garbage_is_refused(self, context, data):
        if isinstance(data, str) and data == b"broken":
            data = bytearray(data)  # on 2.7 bytes are text here
        with pytest.raises((tls.SSLError, ValueError)):
            context.load_verify_locations(cadata=data)
        assert context.cert_store_stats()["x509"] == 0

    def test_truncated_der_is_refused(self, certificates, context):
        pem = read_file(certificates.authority.certificate).decode("ascii")
        der = tls.PEM_cert_to_DER_cert(str(pem))
        for length in (1, 2, 10, len(der) // 2, len(der) - 1):
            with pytest.raises(tls.SSLError):
                context.load_verify_locations(cadata=bytearray(der[:length]))

    def test_nothing_to_load_is_a_mistake(self, context):
        with pytest.raises(TypeError):
            context.load_verify_locations()
        for value in (5, object()):
            with pytest.raises(TypeError):
                context.load_verify_locations(value)
            with pytest.raises(TypeError):
                context.load_verify_locations(cadata=value)


@pytest.mark.parametrize("ciphers", ["no such cipher", "", "^$:,;?*'dorothyx"])
def test_impossible_cipher_lists_are_refused(context, ciphers):
    with pytest.raises(tls.SSLError) as caught:
        context.set_ciphers(ciphers)
    assert "No cipher can be selected" in str(caught.value)


def test_impossible_protocols_are_refused():
    for number in (-1, 42, 2 ** 30):
        with pytest.raises(ValueError):
            tls.SSLContext(number)
    with pytest.raises(TypeError):
        tls.SSLContext("TLS")


def test_impossible_curves_and_groups_are_refused(context):
    with pytest.raises(ValueError):
        context.set_ecdh_curve("no-such-curve")
    with pytest.raises(TypeError):
        context.set_ecdh_curve(None)
    with pytest.raises((ValueError, tls.SSLError)):
        context.set_groups("no-such-group")


def test_certificate_texts(certificates):
    with pytest.raises(ValueError):
        tls.PEM_cert_to_DER_cert("no certificate")
    pem = read_file(certificates.localhost.certificate).decode("ascii")
    with pytest.raises(ValueError):
        tls.PEM_cert_to_DER_cert(str(pem[: len(pem) - 20]))
    der = tls.PEM_cert_to_DER_cert(str(pem))
    assert tls.PEM_cert_to_DER_cert(tls.DER_cert_to_PEM_cert(der)) == der
