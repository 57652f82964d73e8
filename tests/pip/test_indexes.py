# SPDX-License-Identifier: Apache-2.0
"""`check --index URL` and `--online`: a real index is asked, and what would let pip through is named."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from loopback import SOURCE
from toolkit.pip_matrix.files import make_wheel, pages
from toolkit.pip_matrix.index import ANY, STRANGER, TLS_1_3, CellServers, Identity

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
    assert "TLSv1.3" in point["text"] and "it downloaded" in point["text"]


def test_the_setting_that_lets_an_old_index_through_is_named_and_does(ask, policy):
    code, target, (point,) = ask(OLD)
    assert code == 1
    assert point["ok"] is False
    assert "`MinProtocol = TLSv1.1` and `CipherString = DEFAULT:@SECLEVEL=0` in /etc/tls-bootstrap/openssl.cnf" in target["next"]
    assert "(allowed here: TLSv1.2 and later; the index then speaks TLSv1.1)" in target["next"]
    code, target, (point,) = ask(OLD, environment=policy("MinProtocol = TLSv1.1\nCipherString = DEFAULT:@SECLEVEL=0\n"))
    assert code == 0, target
    assert "TLSv1.1" in point["text"]


def test_paths_count_from_the_directory_of_the_caller(ask, policy, workplace):
    (setting,) = policy("MinProtocol = TLSv1.1\nCipherString = DEFAULT:@SECLEVEL=0\n").items()
    relative = {setting[0]: setting[1].lstrip("/"), "PIP_CERT": f"{workplace}/index-authority.pem".lstrip("/")}
    code, target, (point,) = ask(OLD, environment=relative)
    assert code == 0, target
    assert "TLSv1.1" in point["text"]


@pytest.fixture
def policy(workplace):
    """policy(text) -> the environment in which that is the administrator's policy."""

    def write(text):
        path = workplace / "policy.cnf"
        path.write_text(text, encoding="ascii")
        path.chmod(0o644)
        return {"TLS_BOOTSTRAP_CONF": str(path)}

    return write


@pytest.mark.parametrize(
    "text, skipped, allowed",
    [
        ("MinProtocol = TLSv1.3\n", "TLSv1.2", "allowed here: TLSv1.3 and later"),
        ("MaxProtocol = TLSv1.2\n", "TLSv1.3", "allowed here: TLSv1.2 only"),
    ],
    ids=["1.3 and later", "1.2 only"],
)
def test_what_the_administrator_forbids_is_told_and_is_no_defect(make, check, policy, text, skipped, allowed):
    environment = policy(text)
    done = check("--json", "--python", make("3.9").add_pip("20.3.4").add_module().add_hook().python, environment=environment)
    (target,) = json.loads(done.stdout)["targets"]
    assert done.returncode == 0, target
    (point,) = [point for point in target["points"] if point["ok"] is None]
    assert point["text"] == f"pip downloads from an index that speaks only {skipped}"
    assert f"the policy in {environment['TLS_BOOTSTRAP_CONF']} does not let it ({allowed})" in point["detail"]
    assert [link["protocol"] for link in target["connections"]] == [{"TLSv1.2": "TLSv1.3", "TLSv1.3": "TLSv1.2"}[skipped]]


def test_a_policy_that_cannot_be_obeyed_is_named(make, check, policy):
    environment = policy("MinProtocol = TLSv9\n")
    done = check("--json", "--python", make("3.9").add_pip("20.3.4").add_module().add_hook().python, environment=environment)
    (target,) = json.loads(done.stdout)["targets"]
    assert done.returncode == 1, target
    assert f"{environment['TLS_BOOTSTRAP_CONF']}:1: MinProtocol: value 'TLSv9' is refused" in target["reason"]
    assert "correct that file" in target["next"]


def test_a_policy_that_keeps_an_index_out_is_named(ask, policy):
    environment = policy("MaxProtocol = TLSv1.2\n")
    code, target, (point,) = ask(TLS_1_3, environment=environment)
    assert code == 1 and point["ok"] is False
    assert target["next"].startswith(f"the policy in {environment['TLS_BOOTSTRAP_CONF']} keeps it out (allowed here: TLSv1.2 only)")


def make_chain(directory: Path, digest: str = "sha256", bits: int = 2048) -> tuple[bytes, bytes]:
    """(authority, certificate and key) of a server whose certificate is weak in one way: PEM."""
    authority, server = directory / "authority", directory / "server"
    new = ["-nodes", "-newkey"]
    directory.joinpath("names").write_text("subjectAltName = DNS:localhost\n", encoding="ascii")
    for words in (
        ["req", "-x509", *new, "rsa:2048", "-subj", "/CN=authority", "-keyout", f"{authority}.key", "-out", f"{authority}.pem"],
        ["req", *new, f"rsa:{bits}", "-subj", "/CN=localhost", "-keyout", f"{server}.key", "-out", f"{server}.csr"],
        ["x509", "-req", f"-{digest}", "-in", f"{server}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
         "-CAcreateserial", "-extfile", directory / "names", "-out", f"{server}.pem"],
    ):  # fmt: skip
        subprocess.run(["openssl", *words], check=True, stderr=subprocess.PIPE)
    return Path(f"{authority}.pem").read_bytes(), Path(f"{server}.pem").read_bytes() + Path(f"{server}.key").read_bytes()


def make_weak(identity, kind, directory):
    """(authority, context of the index) of what our security defaults refuse."""
    authority, pair = make_chain(directory, "sha1" if kind == "SHA-1" else "sha256", 1024 if kind == "RSA of 1024 bits" else 2048)
    # The server's own level must be lower before it takes its certificate.
    context = identity._tls.SSLContext(identity._tls.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0" if kind == "DH of 1024 bits" else "DEFAULT:@SECLEVEL=0")
    if kind == "DH of 1024 bits":
        parameters = directory / "dh.pem"
        subprocess.run(["openssl", "dhparam", "-dsaparam", "-out", parameters, "1024"], check=True, stderr=subprocess.PIPE)
        context.load_dh_params(str(parameters))
        context.maximum_version = identity._tls.TLSVersion.TLSv1_2
    (directory / "pair").write_bytes(pair)
    context.load_cert_chain(str(directory / "pair"))
    return authority, context


LEVEL = "CipherString = DEFAULT:@SECLEVEL=1"
WEAK = {"RSA of 1024 bits": LEVEL, "SHA-1": LEVEL, "DH of 1024 bits": LEVEL}
PIPS = [("2.7", "9.0.3"), ("3.13", "25.1.1")]


def download_from(installation, url, authority):
    """What pip says when it is asked to download from there."""
    path = installation.root / "authority.pem"
    path.write_bytes(authority)
    words = ["download", "-v", "--no-deps", "--dest", "got", "--index-url", url, "pip"]
    done = installation.run("-m", "pip", *words, environment={"PIP_CERT": str(path)})
    assert done.returncode == 1
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", sorted(WEAK))
def test_each_security_default_that_refuses_an_index_is_named_by_pip_and_the_check(ask, make, identity, tmp_path, workplace, kind):
    authority, identity.contexts[kind] = make_weak(identity, kind, tmp_path)
    for version, pip_version in PIPS:
        with CellServers(identity, {}) as servers:
            said = download_from(make(version).add_pip(pip_version).add_module().add_hook(), servers.index(kind), authority)
        assert f"{WEAK[kind]}, or 0, in /etc/tls-bootstrap/openssl.cnf allows it" in said
    trusted = workplace / "weak-authority.pem"
    trusted.write_bytes(authority)
    trusted.chmod(0o644)
    code, target, (point,) = ask(kind, environment={"PIP_CERT": str(trusted)})
    assert code == 1 and point["ok"] is False
    assert "`CipherString = DEFAULT:@SECLEVEL=" in target["next"] and "would let it through" in target["next"]


def test_a_server_without_secure_renegotiation_is_named_by_pip(make, identity):
    """No OpenSSL of today leaves the extension out, so the answer is made by hand: a ServerHello without any."""
    hello = b"\x03\x03" + bytes(32) + b"\x00" + b"\xc0\x2f" + b"\x00"
    message = b"\x02" + len(hello).to_bytes(3, "big") + hello
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.recv(65536)
                    client.sendall(b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message)
                    client.recv(65536)

        threading.Thread(target=answer, daemon=True).start()
        for version, pip_version in PIPS:
            installation = make(version).add_pip(pip_version).add_module().add_hook()
            said = download_from(installation, f"https://localhost:{listener.getsockname()[1]}/simple", identity.authority)
            assert "Options = UnsafeLegacyServerConnect in /etc/tls-bootstrap/openssl.cnf allows it" in said


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
