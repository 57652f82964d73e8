# SPDX-License-Identifier: Apache-2.0
"""`check --index URL` and `--online`: a real index is asked, and what would let pip through is named."""

from __future__ import annotations

import json

import pytest
from loopback import SOURCE
from toolkit.pip_matrix.files import make_wheel, pages
from toolkit.pip_matrix.index import ANY, STRANGER, CellServers, Identity

OLD = "TLS 1.1"


@pytest.fixture(scope="module")
def identity() -> Identity:
    """The servers' identity, with an index that speaks what the module refuses by default."""
    made = Identity(SOURCE / "build" / "py3")
    old = made.context(made.pair, "TLSv1", "TLSv1_1")
    old.set_ciphers("ALL:@SECLEVEL=0")
    made.contexts[OLD] = old
    return made


@pytest.fixture
def ask(make, check, workplace, identity):
    """ask(kind of index, *options) -> the check's exit code, its one report, and the points about the index."""

    def run(kind, *options, environment=None):
        installation = make("3.9").add_pip("20.3.4").add_module().add_hook()
        authority = workplace / "index-authority.pem"
        authority.write_bytes(identity.authority)
        authority.chmod(0o644)
        variables = {"PIP_CERT": str(authority), **(environment or {})}
        name, data = make_wheel("pip", "99.0")
        with CellServers(identity, pages({name: data})) as servers:
            url = f"{servers.index(kind)}/simple"
            words = ["--index", url] if not options else list(options)
            if "--online" in options:
                variables["PIP_INDEX_URL"] = url
            done = check("--json", "--python", installation.python, *words, environment=variables)
        assert done.stdout, done.stderr
        (target,) = json.loads(done.stdout)["targets"]
        return done.returncode, target, [point for point in target["points"] if point["text"].startswith("pip reaches")]

    return run


@pytest.mark.parametrize("options", [(), ("--online",)], ids=["--index", "--online"])
def test_an_index_that_is_reached(ask, options):
    code, target, (point,) = ask(ANY, *options)
    assert code == 0, target
    assert point["ok"] is True
    assert "TLSv1.3 X25519MLKEM768" in point["text"] and "it downloaded" in point["text"]


def test_the_setting_that_lets_an_old_index_through_is_named_and_does(ask, workplace):
    code, target, (point,) = ask(OLD)
    assert code == 1
    assert point["ok"] is False
    assert "`MinProtocol = TLSv1.1` and `CipherString = DEFAULT:@SECLEVEL=0` in /etc/tls-bootstrap/openssl.cnf" in target["next"]
    assert "(allowed here: TLSv1.2 and later; the index then speaks TLSv1.1)" in target["next"]
    policy = workplace / "policy.cnf"
    policy.write_text("MinProtocol = TLSv1.1\nCipherString = DEFAULT:@SECLEVEL=0\n", encoding="ascii")
    policy.chmod(0o644)
    code, target, (point,) = ask(OLD, environment={"TLS_BOOTSTRAP_CONF": str(policy)})
    assert code == 0, target
    assert "TLSv1.1" in point["text"]


@pytest.mark.parametrize("version, pip_version", [("2.7", "9.0.3"), ("3.9", "20.3.4"), ("3.13", "25.1.1")])
def test_pips_own_message_names_where_the_setting_is(make, identity, version, pip_version):
    """What the security defaults refuse works over an older `ssl`: whoever reads pip's error must learn whose rule it is."""
    installation = make(version).add_pip(pip_version).add_module().add_hook()
    authority = installation.root / "authority.pem"
    authority.write_bytes(identity.authority)
    with CellServers(identity, {}) as servers:
        words = ["download", "-v", "--no-deps", "--dest", "got", "--index-url", f"{servers.index(OLD)}/simple", "pip"]
        done = installation.run("-m", "pip", *words, environment={"PIP_CERT": str(authority)})
    assert done.returncode == 1
    assert "MinProtocol and MaxProtocol in /etc/tls-bootstrap/openssl.cnf" in done.stdout + done.stderr


def test_an_unknown_authority_needs_no_setting_but_a_certificate(ask):
    code, target, (point,) = ask(STRANGER)
    assert code == 1
    assert "--cert FILE" in target["next"]


def test_an_index_that_nobody_serves_is_no_defect_of_pip(check, make):
    installation = make("3.9").add_pip("20.3.4").add_module().add_hook()
    done = check("--json", "--python", installation.python, "--index", "https://user:secret@localhost:9/simple")
    (target,) = json.loads(done.stdout)["targets"]
    assert done.returncode == 0, target
    (point,) = [point for point in target["points"] if point["text"].startswith("pip reaches")]
    assert point["ok"] is None and "no connection was made" in point["detail"]
    assert "secret" not in done.stdout + done.stderr


def test_an_address_without_tls_is_one_clear_error(check):
    done = check("--index", "http://localhost/simple")
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].endswith("--index http://localhost/simple: this is no address that begins with https://")
