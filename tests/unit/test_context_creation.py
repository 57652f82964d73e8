# SPDX-License-Identifier: Apache-2.0
"""The functions that the standard library makes its contexts with."""

import pytest

import _tls_bootstrap as tls


@pytest.mark.parametrize("protocol", [tls.PROTOCOL_TLS, tls.PROTOCOL_TLS_CLIENT, tls.PROTOCOL_TLS_SERVER])
def test_an_unverified_context_verifies_nothing_whatever_its_protocol(protocol):
    context = tls._create_unverified_context(protocol)
    assert context.verify_mode == tls.CERT_NONE and context.check_hostname is False


def test_an_unverified_context_verifies_when_told_to():
    context = tls._create_unverified_context(cert_reqs=tls.CERT_REQUIRED, check_hostname=True)
    assert context.verify_mode == tls.CERT_REQUIRED and context.check_hostname is True


def test_a_name_is_not_checked_without_verification():
    with pytest.raises(ValueError):
        tls._create_unverified_context(check_hostname=True)
