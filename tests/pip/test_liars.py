# SPDX-License-Identifier: Apache-2.0
"""Pips that pretend to use `_tls_bootstrap`: the check gives none of them a 0. The index is OpenSSL by other hands.

Each liar is a real pip whose __main__.py does something first, or a hook that was tampered with.
"""

from __future__ import annotations

import json
import shutil
import textwrap
from pathlib import Path

import pytest
from toolkit import interpreters
from toolkit.audit import interposition
from toolkit.pip_matrix.installations import SOURCE, install_command

NEIGHBOURS = ("OpenSSL", "cryptography", "cffi", "_cffi_backend*", "pycparser")
EXEC = """\
import os
os.execve({python!r}, [{python!r}, "-B", "-s", {script!r}], dict(os.environ, PYTHONPATH={modules!r}))
"""


@pytest.fixture(scope="module")
def launcher(workplace: Path) -> Path:
    """The command with a loopback index that has nothing of ours in its TLS."""
    recent = [item for item in interpreters.find() if item.version >= (3, 11) and not item.free_threaded]
    if not recent:
        pytest.skip("pyOpenSSL's wheels are for Python 3.11 and later, and this machine has none")
    modules = workplace / "pyopenssl"
    modules.mkdir()
    wheels = interposition.wheels(recent[0])
    for pattern in NEIGHBOURS:
        for path in wheels.glob(pattern):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, modules / path.name)
    made = install_command(workplace / "foreign")
    children = made.parents[1] / "share" / "tls-bootstrap" / "tls_bootstrap_command" / "children"
    server = children / "index_server.py"
    server.rename(children / "genuine_index_server.py")
    script = shutil.copy(SOURCE / "tests" / "pip" / "foreign_index.py", children)
    server.write_text(EXEC.format(python=recent[0].path, script=str(script), modules=str(modules)), encoding="ascii")
    return made


@pytest.fixture(params=[("2.7", "8.1.2"), ("3.13", "25.1.1")], ids="-".join)
def honest(make, request):
    """An old pip and a new one."""
    version, pip_version = request.param
    return make(version).add_pip(pip_version).add_module().add_hook()


@pytest.fixture
def answer(check):
    """answer(installation) -> (exit code, the report of its pip)."""

    def run(installation):
        done = check("--json", "--python", installation.python)
        assert done.stdout, done.stderr
        (target,) = json.loads(done.stdout)["targets"]
        return done.returncode, target

    return run


TOOLS = """
import os, subprocess, sys

def option(name):
    return sys.argv[sys.argv.index(name) + 1]

def downloads():
    return "--index-url" in sys.argv

def files(tls):
    '''Ask for the page and the file by the module `tls`; return the file's bytes.'''
    import re, socket
    host, port = option("--index-url").split("/")[2].split(":")
    context = tls.create_default_context(cafile=option("--cert"))
    path = "/simple/tls-bootstrap-check/"
    for _ in range(2):
        connection = context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
        connection.sendall(("GET %s HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n" % (path, host)).encode())
        answer = b""
        while True:
            data = connection.recv(65536)
            if not data:
                break
            answer += data
        body = answer.partition(b"\\r\\n\\r\\n")[2]
        found = re.search(b'href="([^"#]+)', body)
        path = found.group(1).decode() if found else None
    return body

def keep(body):
    with open(os.path.join(option("--dest"), "tls_bootstrap_check-1.0-py2.py3-none-any.whl"), "wb") as stream:
        stream.write(body)

def become_pip():
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        from pip._internal.cli.main import main
    except ImportError:
        from pip import main
    sys.exit(main())

"""


def lie(installation, body):
    """Put `body` before what pip does as a program."""
    main = installation.site / "pip" / "__main__.py"
    main.unlink()  # another name of a file in the cache
    main.write_text(TOOLS + textwrap.dedent(body), encoding="ascii")
    return installation


def test_an_honest_pip_is_believed_by_a_foreign_server_too(honest, answer):
    code, target = answer(lie(honest, "become_pip()"))
    assert code == 0, target
    assert [link["protocol"] for link in target["connections"]] == ["TLSv1.3", "TLSv1.2"]
    assert target["connections"][0]["group"] == "X25519MLKEM768"



LIARS = {
    "downloads by ssl and claims": """
        if downloads():
            import json, ssl
            body = files(ssl)
            keep(body)
            with open(os.environ["TLS_BOOTSTRAP_TRACE"], "a") as trace:
                for _ in range(2):
                    trace.write(json.dumps({"exporter": "00" * 32, "pid": os.getpid()}) + "\\n")
            sys.exit(0)
        become_pip()
    """,
    "downloads twice, by ssl first": """
        if downloads():
            import ssl
            files(ssl)
        become_pip()
    """,
    "keeps what ssl downloaded, and makes the other connections only for show": """
        if downloads():
            import ssl
            import _tls_bootstrap
            files(_tls_bootstrap)
            keep(files(ssl))
            sys.exit(0)
        become_pip()
    """,
    "lets another process do it": """
        if downloads() and "LIAR" not in os.environ:
            os.environ["LIAR"] = "1"
            sys.exit(subprocess.call([sys.executable] + sys.argv))
        become_pip()
    """,
    "lets another process make the genuine connections": """
        if downloads():
            if "LIAR" in os.environ:
                import _tls_bootstrap
                keep(files(_tls_bootstrap))
                sys.exit(0)
            sys.exit(subprocess.call([sys.executable] + sys.argv, env=dict(os.environ, LIAR="1")))
        become_pip()
    """,
    "goes through a relay in another process": """
        if downloads():
            import socket
            port = int(option("--index-url").split(":")[2].split("/")[0])
            relay = subprocess.Popen([sys.executable, "-c", RELAY, str(port)], stdout=subprocess.PIPE)
            there = int(relay.stdout.readline())
            connect = socket.socket.connect
            socket.socket.connect = lambda self, place: connect(self, (place[0], there) if place[1] == port else place)
        become_pip()
    """,
}
RELAY = """
import select, socket, sys, threading
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(8)
print(listener.getsockname()[1])
sys.stdout.flush()

def carry(a):
    b = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    ends = {a: b, b: a}
    while True:
        for source in select.select([a, b], [], [])[0]:
            data = source.recv(65536)
            if not data:
                a.close()
                b.close()
                return
            ends[source].sendall(data)

while True:
    thread = threading.Thread(target=carry, args=(listener.accept()[0],))
    thread.daemon = True
    thread.start()
"""


@pytest.mark.parametrize("liar", sorted(LIARS))
def test_a_liar_gets_no_0(honest, answer, liar):
    code, target = answer(lie(honest, f"RELAY = {RELAY!r}\n" + textwrap.dedent(LIARS[liar])))
    assert code in (1, 2), target
    assert target["verdict"] in ("broken", "not used")
    points = {point["text"]: point["ok"] for point in target["points"]}
    # It is the evidence that is missing: what was asked for arrived.
    assert points["pip downloads from an index that speaks only TLSv1.3"] is True
    assert points["both ends have the same exporter value (TLSv1.3)"] is False


KEEP_THE_TRACE = """
    if downloads():
        import atexit, shutil
        atexit.register(lambda: shutil.copy(os.environ["TLS_BOOTSTRAP_TRACE"], {place!r}))
    become_pip()
"""
USE_THE_TRACE = """
    if downloads():
        import ssl
        keep(files(ssl))
        old = open({place!r}).read()
        with open(os.environ["TLS_BOOTSTRAP_TRACE"], {mode!r}) as trace:
            trace.write({what})
        sys.exit(0)
    become_pip()
"""


@pytest.mark.parametrize(
    "mode, what",
    [("w", "old"), ("a", "old.partition('\\n')[2]")],
    ids=["a stale trace", "old lines below the new nonce"],
)
def test_an_earlier_trace_proves_nothing(honest, answer, workplace, mode, what):
    place = workplace / "kept"
    place.mkdir(exist_ok=True)
    place.chmod(0o777)
    names = {"place": f"{place}/trace"}
    assert answer(lie(honest, KEEP_THE_TRACE.format(**names)))[0] == 0
    kept = list(place.iterdir())
    assert kept
    code, target = answer(lie(honest, USE_THE_TRACE.format(mode=mode, what=what, **names)))
    shutil.rmtree(place)
    assert code in (1, 2), target
    assert target["connections"] == []


def test_a_genuine_module_from_elsewhere_is_not_the_installed_one(honest, answer):
    elsewhere = honest.root / "elsewhere"
    shutil.copytree(honest.site / "_tls_bootstrap", elsewhere / "_tls_bootstrap")
    finder = honest.site / "_tls_bootstrap_pip_finder.py"
    text = finder.read_text(encoding="ascii")
    changed = text.replace('globals().get("home") or directory', repr(str(elsewhere)))
    assert changed != text
    finder.write_text(changed, encoding="ascii")
    code, target = answer(honest)
    assert code in (1, 2), target
    mapped = [point for point in target["points"] if "mapped" in point["text"]]
    assert mapped[0]["ok"] is False
    assert str(elsewhere) in mapped[0]["detail"]
