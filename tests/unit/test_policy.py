# SPDX-License-Identifier: Apache-2.0
"""The administrator's policy (TLS_BOOTSTRAP_CONF): what it sets, and that it is never passed over."""

import os

import pytest
from children import TREE, check_python, run_python

import _tls_bootstrap as tls

pytestmark = pytest.mark.skipif(
    tls._core.flavour != "bundled", reason="the system flavour follows the distribution's own configuration"
)

FULL = """
openssl_conf = start
[start]
ssl_conf = libraries
[libraries]
system_default = policy
[policy]
MinProtocol = TLSv1.3
Groups = P-384
"""
BARE = """
CipherString = @SECLEVEL=1:ECDHE-RSA-AES128-GCM-SHA256
TLS.MinProtocol = TLSv1.2
TLS.MaxProtocol = TLSv1.2
DTLS.MinProtocol = DTLSv1.2
[openssl_init]
alg_section = evp_properties
"""
DESCRIBE = """
import _tls_bootstrap as tls
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
older = [c["name"] for c in context.get_ciphers() if c["protocol"] != "TLSv1.3"]
print("%d %d %d %s" % (context.minimum_version, context.maximum_version, context.security_level, ",".join(older[:2])))
"""


@pytest.fixture
def policy(tmp_path, monkeypatch):
    """A function that writes the policy file and names it to the children."""

    def write(text):
        path = tmp_path / "policy.cnf"
        path.write_text(u"" + text)
        monkeypatch.setenv("TLS_BOOTSTRAP_CONF", str(path))
        return str(path)

    return write


def describe(options=()):
    minimum, maximum, level, ciphers = check_python(DESCRIBE, options=options).split(" ")
    return int(minimum), int(maximum), int(level), ciphers


def test_without_a_policy_our_own_defaults_hold(monkeypatch):
    monkeypatch.delenv("TLS_BOOTSTRAP_CONF", raising=False)
    if os.path.exists("/etc/tls-bootstrap/openssl.cnf"):
        pytest.skip("this machine has a policy of its own in /etc/tls-bootstrap/openssl.cnf")
    minimum, maximum, level, _ = describe()
    assert (minimum, maximum, level) == (tls.TLSVersion.TLSv1_2, tls.TLSVersion.MAXIMUM_SUPPORTED, 2)


def test_a_full_configuration_takes_effect(policy):
    policy(FULL)
    assert describe()[0] == tls.TLSVersion.TLSv1_3


def test_a_bare_list_of_commands_takes_effect(policy):
    policy(BARE)
    assert describe() == (tls.TLSVersion.TLSv1_2, tls.TLSVersion.TLSv1_2, 1, "ECDHE-RSA-AES128-GCM-SHA256")


def test_python_that_ignores_its_environment_ignores_the_variable(policy):
    policy("MinProtocol = TLSv1.3\n")
    assert describe()[0] == tls.TLSVersion.TLSv1_3
    code = "import sys; sys.path.insert(0, %r)\n" % TREE
    assert check_python(code + DESCRIBE, options=["-E"]).split(" ")[0] == str(int(tls.TLSVersion.TLSv1_2))


def test_a_protocol_context_is_narrowed_and_never_widened(policy):
    policy("MinProtocol = TLSv1\nMaxProtocol = TLSv1.3\n")
    code = "import _tls_bootstrap as t; c = t.SSLContext(t.PROTOCOL_TLSv1_2); s = c._configure('MinProtocol', 'TLSv1')\n"
    # The core's own attribute: the public one tells what ssl tells for such a context.
    code += "b = t._core._SSLContext; print('%d %d' % (b.minimum_version.__get__(c), b.maximum_version.__get__(c)))"
    assert check_python(code) == "%d %d" % (tls.TLSVersion.TLSv1_2, tls.TLSVersion.TLSv1_2)


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "no TLS setting found"),
        ("HOME = .\n", "no TLS setting found"),
        ("[section]\nMinProtocol = TLSv1.3\n", "no TLS setting found"),
        ("openssl_conf = start\n", "section [start] is missing"),
        ("openssl_conf = start\n[start]\nproviders = some\n", "no ssl_conf"),
        ("\nMinProtocol = TLSv1.3\nMinProtokoll = TLSv1.2\n", ":3: MinProtokoll: unknown command"),
        ("MinProtocol = TLSv9\n", ":1: MinProtocol: value 'TLSv9' is refused"),
        ("MinProtocol TLSv1.3\n", ":1:"),
    ],
    ids=["empty", "nothing of ours", "no list", "dangling", "no ssl_conf", "unknown", "refused", "syntax"],
)
def test_a_policy_that_cannot_be_applied_is_an_error_that_names_the_file(policy, text, complaint):
    path = policy(text)
    result = run_python(DESCRIBE)
    assert result.status == 1
    last = result.errors.strip().splitlines()[-1]
    assert "SSLError" in last
    assert path in last
    assert complaint in last


def test_a_file_that_is_not_there_is_an_error_that_names_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("TLS_BOOTSTRAP_CONF", str(tmp_path / "absent.cnf"))
    result = run_python(DESCRIBE)
    assert result.status == 1
    assert "absent.cnf" in result.errors
    assert "TLS_BOOTSTRAP_CONF" in result.errors


def test_the_import_reads_no_policy(policy):
    policy("MinProtokoll = TLSv1.2\n")
    assert check_python("import _tls_bootstrap; print('imported')") == "imported"
