# SPDX-License-Identifier: Apache-2.0
"""Forks at every stage, threads that live on at exit, and interpreters inside the interpreter: no crash, no hang."""

import os
import sys

import pytest

from processes import check_python, run_python, start_python

#: The stages of a connection; the child and its parent both go on from there.
STAGES = """
import os, sys
stage = sys.argv[4]
def fork_at(name):
    if name != stage:
        return
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        global forked
        forked = True
    else:
        children.append(child)
children, forked = [], False
fork_at("before the import")
import _tls_bootstrap as tls, handshakes
fork_at("after the import")
tls.RAND_bytes(1)
fork_at("after the first random number")
contexts = handshakes.contexts(tls, sys.argv[3])
fork_at("with contexts")
ends = handshakes.connection(tls, sys.argv[3])
fork_at("before the handshake")
handshakes.step(tls, ends[0])
fork_at("after the first message")
handshakes.step(tls, ends[1])
fork_at("in the midst of the handshake")
protocol = handshakes.complete(tls, ends)
fork_at("after the handshake")
ends[0].write(b"late"); assert ends[1].read(10) == b"late"
assert handshakes.handshake(tls, sys.argv[3]) == protocol
del ends, contexts
fork_at("at the end")
for child in children:
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
assert forked or len(children) == 1, "nothing was forked"
print(("child " if forked else "parent ") + protocol)
"""


@pytest.mark.parametrize(
    "stage",
    [
        "before the import", "after the import", "after the first random number", "with contexts",
        "before the handshake", "after the first message", "in the midst of the handshake", "after the handshake",
        "at the end",
    ],
)  # fmt: skip
def test_fork(certificates, stage):
    output = check_python(STAGES, [certificates, stage])
    assert sorted(output.splitlines()) == ["child TLSv1.3", "parent TLSv1.3"]


def test_a_connection_imports_nothing_once_one_was_made(certificates, tmpdir):
    # 2.7 lets daemon threads run on after it has taken its modules apart, and aborts when one of them imports.
    trace = tmpdir.join("trace")
    code = (
        "import os, socket\n"
        "import _tls_bootstrap as tls, handshakes\n"
        "builtins = __import__('builtins' if sys.version_info > (3,) else '__builtin__')\n"
        "def use():\n"
        "    client, server = handshakes.contexts(tls, sys.argv[3])\n"
        "    client.options |= tls.OP_NO_TICKET\n"
        "    client.verify_flags |= tls.VERIFY_X509_STRICT\n"
        "    client.minimum_version = client.maximum_version = tls.TLSVersion.TLSv1_2\n"
        "    assert client.minimum_version == client.maximum_version == tls.TLSVersion.TLSv1_2\n"
        "    ends = handshakes.connection(tls, sys.argv[3])\n"
        "    handshakes.complete(tls, ends)\n"
        "    ends[0].getpeercert(), ends[0].get_channel_binding('tls-unique'), ends[0].cipher()\n"
        "    for certificate in ends[0].get_verified_chain():\n"
        "        for each in (certificate, getattr(certificate, 'public_bytes', lambda: None)()): str(each)\n"
        "    pair = socket.socketpair()\n"
        "    one, other = [socket.socket(_sock=each) for each in pair] if sys.version_info < (3,) else pair\n"
        "    sockets = [client.wrap_socket(one, do_handshake_on_connect=False, server_hostname='localhost'),\n"
        "               server.wrap_socket(other, do_handshake_on_connect=False, server_side=True)]\n"
        "    for each in sockets: each.setblocking(False)\n"
        "    handshakes.complete(tls, sockets)\n"
        "    for each in sockets: each.close()\n"
        "    wrong = server.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_side=True)\n"
        "    try: wrong.do_handshake(); raise SystemExit('no error')\n"
        "    except tls.SSLWantReadError: pass\n"
        "use()\n"
        "imported, plain = [], builtins.__import__\n"
        "def recorder(name, *arguments, **keywords):\n"
        "    imported.append(name)\n"
        "    return plain(name, *arguments, **keywords)\n"
        "builtins.__import__ = recorder\n"
        "import math; assert imported == ['math'], imported\n"
        "use()\n"
        "builtins.__import__ = plain\n"
        "print(imported[1:])\n"
    )
    environment = dict(os.environ, TLS_BOOTSTRAP_TRACE=str(trace))
    environment.pop("PYTHONPATH", None)
    assert check_python(code, [certificates], environment=environment) == "[]"
    assert '"TLSv1.2"' in trace.read()


@pytest.mark.skipif(sys.version_info[0] > 2, reason="Python 3 lets no thread go on when the interpreter has ended")
def test_threads_that_wait_for_a_part_do_not_import_it(certificates):
    # One that waits for long may get its turn when the interpreter has ended.
    code = (
        "import __builtin__, imp, threading\n"
        "import _tls_bootstrap as tls, handshakes\n"
        "from _tls_bootstrap import _late\n"
        "imported, plain, acquire, waiting = [], __import__, _late._acquire_imports, threading.Semaphore(0)\n"
        "def recorder(name, *arguments, **keywords):\n"
        "    imported.append(name)\n"
        "    return plain(name, *arguments, **keywords)\n"
        "def acquire_and_tell():\n"
        "    waiting.release()\n"
        "    acquire()\n"
        "__builtin__.__import__, _late._acquire_imports = recorder, acquire_and_tell\n"
        "imp.acquire_lock()\n"
        "protocols = []\n"
        "def work():\n"
        "    protocols.append(handshakes.handshake(tls, sys.argv[3]))\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: waiting.acquire()\n"
        "imp.release_lock()\n"
        "for thread in threads: thread.join()\n"
        "parts = [name for name in imported if name.startswith('_tls_bootstrap.')]\n"
        "assert '_tls_bootstrap._context' in parts and sorted(parts) == sorted(set(parts)), parts\n"
        "print(' '.join(protocols))\n"
    )
    assert check_python(code, [certificates]) == "TLSv1.3 TLSv1.3 TLSv1.3 TLSv1.3"


@pytest.mark.skipif(sys.version_info[0] > 2, reason="Python 3 has its codecs for ASCII at hand")
def test_no_thread_meets_a_codec_for_the_first_time(certificates):
    # 2.7 aborts when a thread that outlives the interpreter imports one.
    code = (
        "import _tls_bootstrap as tls, handshakes\n"
        "if 'encodings.ascii' in sys.modules: raise SystemExit('the start of this Python imports the codec')\n"
        "client, server = handshakes.contexts(tls, sys.argv[3])\n"
        "client.set_ciphers(u'ECDHE+AESGCM')\n"
        "client.set_alpn_protocols([u'h2'])\n"
        "for name in (u'localhost', b'localhost', bytearray(b'localhost')):\n"
        "    client.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname=name)\n"
        "try: client.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname=b'\\xff')\n"
        "except UnicodeError: pass\n"
        "print('encodings.ascii' in sys.modules)\n"
    )
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    environment.pop("PYTHONPATH", None)
    assert check_python(code, [certificates], environment=environment) == "False"


@pytest.mark.parametrize("ending", ["pass", "sys.exit(0)", "raise KeyboardInterrupt", "os._exit(0)"])
def test_threads_that_live_on_at_exit(certificates, ending):
    code = (
        "import os, threading\n"
        "import _tls_bootstrap as tls, handshakes\n"
        "started = threading.Semaphore(0)\n"
        "def work():\n"
        "    while True:\n"
        "        handshakes.handshake(tls, sys.argv[3])\n"
        "        started.release()\n"
        "for _ in range(4):\n"
        "    thread = threading.Thread(target=work)\n"
        "    thread.daemon = True\n"
        "    thread.start()\n"
        "for _ in range(6):\n"
        "    started.acquire()\n"
    )
    result = run_python(code + ending, [certificates])
    expected = 0 if "Keyboard" not in ending else (1 if sys.version_info < (3, 8) else -2)
    assert result.status == expected, "status %d: %s" % (result.status, result.errors[-2000:])
    assert "Fatal" not in result.errors and "Segmentation" not in result.errors


@pytest.mark.parametrize("ending", ["pass", "sys.exit(0)"])
def test_the_end_waits_for_a_thread_inside_openssl(tmpdir, ending):
    # The thread reads from a pipe inside OpenSSL, without the GIL; were the end not to wait for it, writing would fail.
    path = str(tmpdir.join("certificate.pem"))
    os.mkfifo(path)
    code = (
        "import threading\n"
        "import _tls_bootstrap as tls\n"
        "thread = threading.Thread(target=tls._core._test_decode_cert, args=(sys.argv[3].encode(),))\n"
        "thread.daemon = True\n"
        "thread.start()\n"
        "sys.stdin.readline()\n"
    )
    process = start_python(code + ending, [path])
    try:
        pipe = open(path, "wb", 0)  # returns when the thread has opened the other end
        process.stdin.write("end\n")
        process.stdin.flush()
        line = b"no certificate " * 15 + b"\n"
        for _ in range(512):
            pipe.write(line * 512)
        pipe.close()
        _, errors = process.communicate()
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 0, errors


def test_a_child_forked_while_a_thread_is_inside_openssl_ends_at_once(tmpdir):
    path = str(tmpdir.join("certificate.pem"))
    os.mkfifo(path)
    code = (
        "import os, signal, threading\n"
        "import _tls_bootstrap as tls\n"
        "thread = threading.Thread(target=tls._core._test_decode_cert, args=(sys.argv[3].encode(),))\n"
        "thread.daemon = True\n"
        "thread.start()\n"
        "pipe = open(sys.argv[3], 'wb')\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(4)  # seconds: less than what it would wait for the thread that it does not have\n"
        "    sys.exit(7)\n"
        "print(os.waitpid(child, 0)[1])\n"
        "pipe.close()\n"
    )
    assert check_python(code, [path]) == str(7 << 8)


def test_threads_that_end_leave_no_memory(certificates):
    code = (
        "import threading\n"
        "import _tls_bootstrap as tls, handshakes\n"
        "def resident():\n"
        "    with open('/proc/self/statm') as stream: return int(stream.read().split()[1]) * 4\n"
        "def burst(count):\n"
        "    for _ in range(count):\n"
        "        thread = threading.Thread(target=handshakes.handshake, args=(tls, sys.argv[3]))\n"
        "        thread.start(); thread.join()\n"
        "burst(30); before = resident(); burst(120)\n"
        "print(resident() - before)\n"
    )
    assert int(check_python(code, [certificates])) < 1500  # KiB; each thread has its own state in OpenSSL


def subinterpreters():
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return __import__(name)
        except ImportError:
            continue
    return None


@pytest.mark.skipif(subinterpreters() is None, reason="Python has a module for interpreters from 3.8 on")
@pytest.mark.parametrize("arguments", ["()", "('isolated',)" if sys.version_info >= (3, 13) else "()"])
def test_interpreters_inside_the_interpreter(certificates, arguments):
    code = (
        "try: import _interpreters as interpreters\n"
        "except ImportError: import _xxsubinterpreters as interpreters\n"
        "import _tls_bootstrap as tls, handshakes\n"
        "program = '''import sys; sys.path[:0] = %r\\n"
        "import _tls_bootstrap as tls, handshakes\\n"
        "assert handshakes.handshake(tls, %r) == 'TLSv1.3'\\n"
        "''' % (sys.path, sys.argv[3])\n"
        "for _ in range(5):\n"
        "    each = interpreters.create(*" + arguments + ")\n"
        "    failure = interpreters.run_string(each, program)\n"
        "    assert not failure, failure\n"
        "    interpreters.destroy(each)\n"
        "    assert handshakes.handshake(tls, sys.argv[3]) == 'TLSv1.3'\n"
        "print('done')\n"
    )
    assert check_python(code, [certificates]) == "done"
