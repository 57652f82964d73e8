# SPDX-License-Identifier: Apache-2.0
"""The evidence trace: TLS_BOOTSTRAP_TRACE names a file that gets one line for each handshake."""

import json
import os
import stat

import pytest

from authority import read_file, write_file
from children import TREE, run_python

NONCE = "0123456789abcdef" * 4

#: A child that makes one connection in memory and prints what both ends export.
CONNECT = """
import json, sys
import _tls_bootstrap as tls
nonce = bytes(bytearray.fromhex(sys.argv[4])) if sys.argv[4] else None
a, b = tls.MemoryBIO(), tls.MemoryBIO()
client = tls.create_default_context(cafile=sys.argv[1])
client.minimum_version = client.maximum_version = int(sys.argv[5])
server = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
server.load_cert_chain(sys.argv[2], sys.argv[3])
client = client.wrap_bio(a, b, server_hostname="localhost")
server = server.wrap_bio(b, a, server_side=True)
done = set()
while len(done) < 2:
    for end in (client, server):
        try:
            if end not in done:
                end.do_handshake()
                done.add(end)
        except tls.SSLWantReadError:
            pass
value = server.export_keying_material(b"EXPORTER-tls-bootstrap-check", 32, nonce)
print("".join("%02x" % octet for octet in bytearray(value)))
"""


@pytest.fixture
def traced(certificates, tmpdir, monkeypatch):
    """Runs a connection in a child with a trace file; returns (the child's value, the file's lines)."""
    path = os.path.join(str(tmpdir), "trace")
    monkeypatch.setenv("TLS_BOOTSTRAP_TRACE", path)

    def run(nonce="", version=772, options=(), code=CONNECT, expect_file=True):
        result = run_python(
            code,
            [certificates.authority.certificate]
            + list(certificates.localhost)
            + [nonce, str(version)],
            options,
        )
        assert result.status == 0, result.errors
        assert result.errors == ""
        if not expect_file:
            return result.output.strip(), None
        return result.output.strip(), read_file(path).decode("ascii").splitlines()

    run.path = path
    return run


def header():
    return json.dumps({"tls-bootstrap-trace": 1, "nonce": NONCE}) + "\n"


def make_file(path, data=b"", mode=0o600):
    write_file(path, data)
    os.chmod(path, mode)


def test_a_line_for_each_end(traced):
    make_file(traced.path, header())
    value, lines = traced(NONCE)
    assert lines[0] == header().strip()
    entries = [json.loads(line) for line in lines[1:]]
    assert len(entries) == 2
    for entry in entries:
        assert entry["exporter"] == value
        assert entry["protocol"] == "TLSv1.3"
        assert entry["openssl"].startswith("OpenSSL ")
        assert os.path.exists(entry["core"])
        assert entry["module"].endswith("_tls_bootstrap/__init__.py")
        assert entry["pid"] != os.getpid()
    assert len(value) == 64


def test_a_line_holds_exporter_value_pid_module_and_versions_and_nothing_else(traced):
    """No host, no address, no certificate, and of the secrets only the exporter value for our own label."""
    make_file(traced.path, header())
    _, lines = traced(NONCE)
    versions = ["openssl", "protocol", "python", "version"]
    for line in lines[1:]:
        entry = json.loads(line)
        assert sorted(entry) == sorted(versions + ["core", "exporter", "module", "pid"])
        assert "localhost" not in line
        directory = os.path.dirname(entry["module"])
        assert os.path.dirname(entry["core"]) == directory and os.path.basename(directory) == "_tls_bootstrap"


def test_without_the_variable_nothing_of_it_is_loaded(traced, monkeypatch):
    monkeypatch.delenv("TLS_BOOTSTRAP_TRACE")
    value, _ = traced(code=CONNECT + "print('_tls_bootstrap._trace' in sys.modules)", expect_file=False)
    assert value.endswith("False") and not os.path.exists(traced.path)


def test_tls_1_2(traced):
    make_file(traced.path, header())
    value, lines = traced(NONCE, 771)
    assert [json.loads(line)["exporter"] for line in lines[1:]] == [value, value]


def test_without_a_header_there_is_no_context(traced):
    value, lines = traced("")
    assert stat.S_IMODE(os.stat(traced.path).st_mode) == 0o600
    assert [json.loads(line)["exporter"] for line in lines] == [value, value]


def test_connections_are_appended(traced):
    make_file(traced.path, header())
    traced(NONCE)
    _, lines = traced(NONCE)
    assert len(lines) == 5
    assert len(set(json.loads(line)["exporter"] for line in lines[1:])) == 2


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o400, 0o700])
def test_a_file_open_to_others_is_left_alone(traced, mode):
    make_file(traced.path, header(), mode)
    traced(NONCE, expect_file=False)
    assert read_file(traced.path).decode("ascii") == header()


def test_a_symbolic_link_is_not_followed(traced):
    target = traced.path + ".target"
    make_file(target, header())
    os.symlink(target, traced.path)
    traced(NONCE, expect_file=False)
    assert read_file(target).decode("ascii") == header()


def test_a_link_to_nowhere_makes_no_file(traced):
    target = traced.path + ".target"
    os.symlink(target, traced.path)
    traced(NONCE, expect_file=False)
    assert not os.path.exists(target)


def test_a_second_name_is_refused(traced):
    make_file(traced.path, header())
    os.link(traced.path, traced.path + ".second")
    _, lines = traced(NONCE)
    assert len(lines) == 1


def test_a_fifo_does_not_block(traced):
    os.mkfifo(traced.path, 0o600)
    traced(NONCE, expect_file=False)


def test_a_directory_disturbs_nothing(traced):
    os.mkdir(traced.path)
    traced(NONCE, expect_file=False)


@pytest.mark.parametrize("line", [b"garbage\n", b'{"tls-bootstrap-trace": 1}\n', b"[]\n", b"\xff\n"])
def test_a_broken_header_disturbs_nothing(traced, line):
    make_file(traced.path, line)
    traced(NONCE, expect_file=False)
    assert read_file(traced.path).startswith(line)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_file_is_left_alone(traced):
    make_file(traced.path, header())
    os.chown(traced.path, 12345, 12345)
    traced(NONCE, expect_file=False)
    assert read_file(traced.path).decode("ascii") == header()


def test_an_interpreter_that_ignores_the_environment_does_not_trace(traced):
    make_file(traced.path, header())
    code = "import sys\nsys.path.insert(0, %r)\n" % TREE + CONNECT
    traced(NONCE, options=["-E"], code=code, expect_file=False)
    assert read_file(traced.path).decode("ascii") == header()
    traced(NONCE, code=code)
    assert read_file(traced.path).decode("ascii") != header()
