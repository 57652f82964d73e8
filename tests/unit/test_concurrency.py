# SPDX-License-Identifier: Apache-2.0
"""Objects in several threads, shared in unusual ways, forked half-way, or used in subinterpreters."""

import gc
import os
import signal
import sys
import threading

import pytest

import _tls_bootstrap as tls
import children
import peers

THREADS = 6


def in_threads(work, count=THREADS):
    """Runs work(number) in threads that start together; raises what one of them raised."""
    errors, results = [], {}
    ready = threading.Event()

    def run(number):
        ready.wait(peers.LIMIT)
        try:
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.daemon = True
        thread.start()
    ready.set()
    for thread in threads:
        thread.join(peers.LIMIT * 2)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return [results[number] for number in range(count)]


def test_one_connection_in_each_thread_under_load(certificates, version):
    client = peers.client_context(certificates, version)
    server = peers.server_context(certificates.localhost, version)

    def work(number):
        total = 0
        for turn in range(4):
            pair = peers.MemoryPair(client, server).handshake()
            for size in (1, 1000, 16384, 100000):
                data = bytes(bytearray([(number * 31 + turn) & 255])) * size
                assert pair.send(pair.client, pair.server, data) == data
                assert pair.send(pair.server, pair.client, data) == data
                total += size
            assert pair.client.getpeercert()["subject"]
        return total

    assert in_threads(work) == [4 * 117385] * THREADS


def test_a_context_is_changed_while_others_use_it(certificates):
    client = peers.client_context(certificates)
    server = peers.server_context(certificates.localhost)

    def work(number):
        for turn in range(6):
            if number == 0:
                client.load_verify_locations(certificates.authority.certificate)
                client.set_alpn_protocols(["h2", "number%d" % turn])
                client.get_ciphers()
                client.get_ca_certs()
                server.load_cert_chain(certificates.localhost.certificate, certificates.localhost.key)
            else:
                pair = peers.MemoryPair(client, server).handshake()
                assert pair.send(pair.client, pair.server, b"still right") == b"still right"

    in_threads(work)


LOADING = """
import sys, threading
import _tls_bootstrap as tls
context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:])
loading = [None, None]
def load(number):
    for _ in range(1500):
        context.load_cert_chain(*sys.argv[1:])
    loading.pop()
def connect():
    while loading:
        context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_side=True)
threads = [threading.Thread(target=load, args=(number,)) for number in range(2)]
threads += [threading.Thread(target=connect) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("alive")
"""


def test_connections_are_made_while_a_certificate_is_loaded(certificates):
    # In a child: what OpenSSL frees in one thread while another copies it ends the process.
    result = children.run_python(LOADING, [certificates.localhost.certificate, certificates.localhost.key])
    assert (result.status, result.output, result.errors) == (0, "alive\n", "")


def test_one_memory_bio_shared_by_two_connections(certificates):
    client = peers.client_context(certificates)
    shared = tls.MemoryBIO()
    ends = [client.wrap_bio(tls.MemoryBIO(), shared, server_hostname="localhost") for _ in range(2)]

    def work(number):
        with pytest.raises(tls.SSLWantReadError):
            ends[number].do_handshake()
        return True

    in_threads(work, 2)
    records = shared.read()
    # Two ClientHello records of the handshake protocol (RFC 8446 section 5.1), one whole after the other.
    starts, position = [], 0
    while position < len(records):
        header = bytearray(records[position : position + 5])
        starts.append((header[0], header[1]))
        position += 5 + (header[3] << 8 | header[4])
    assert starts == [(22, 3), (22, 3)] and position == len(records)


def test_one_connection_hammered_by_many_threads(certificates, version):
    pair = peers.MemoryPair(
        peers.client_context(certificates, version), peers.server_context(certificates.localhost, version)
    ).handshake()
    received = []

    def work(number):
        for _ in range(50):
            if number % 2:
                pair.client.write(b"x" * 100)
                pair.client.cipher(), pair.client.version(), pair.client.pending()
            else:
                try:
                    received.append(pair.server.read(5000))
                except tls.SSLWantReadError:
                    pass

    in_threads(work)
    while True:
        try:
            received.append(pair.server.read(5000))
        except tls.SSLWantReadError:
            break
    assert b"".join(received) == b"x" * (100 * 50 * (THREADS // 2))


def test_memory_bios_are_dropped_before_the_connection(certificates):
    pair = peers.MemoryPair(peers.client_context(certificates), peers.server_context(certificates.localhost))
    pair.handshake()
    client, server = pair.client, pair.server
    pair.client.write(b"on its way")
    del pair
    gc.collect()
    assert server.read(100) == b"on its way"
    server.write(b"and back")
    assert client.read(100) == b"and back"
    del server
    gc.collect()
    client.write(b"to nobody")


def test_one_memory_bio_as_incoming_and_outgoing(certificates):
    loop = tls.MemoryBIO()
    end = peers.client_context(certificates).wrap_bio(loop, loop, server_hostname="localhost")
    # It reads its own ClientHello, which no server sends.
    with pytest.raises(tls.SSLError) as caught:
        for _ in range(10):
            end.do_handshake()
    assert not isinstance(caught.value, tls.SSLWantReadError)


def test_a_memory_bio_is_fed_while_the_handshake_runs(certificates, version):
    client = peers.client_context(certificates, version)
    server = peers.server_context(certificates.localhost, version)
    pair = peers.MemoryPair(client, server)

    def handshake(number):
        end = (pair.client, pair.server)[number]
        while True:
            try:
                end.do_handshake()
                return end.version()
            except tls.SSLWantReadError:
                pass  # the other thread will write

    assert in_threads(handshake, 2) == [version.name.replace("_", ".")] * 2


def test_connections_die_in_other_threads_than_they_were_made(certificates):
    client = peers.client_context(certificates)
    server = peers.server_context(certificates.localhost)
    pairs = [peers.MemoryPair(client, server).handshake() for _ in range(THREADS)]

    def drop(_number):
        pairs.pop()
        gc.collect()

    in_threads(drop)
    assert pairs == []


def outcome_in_child(work):
    """What `work` returns in a forked child, as bytes; the child's status is checked."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(int(peers.LIMIT))
            os.write(writing, work())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        output = stream.read()
    assert os.waitpid(child, 0)[1] == 0
    return output


def test_fork_between_context_and_handshake(certificates, version):
    client = peers.client_context(certificates, version)
    server = peers.server_context(certificates.localhost, version)
    pair = peers.MemoryPair(client, server)

    def work():
        pair.handshake()
        return pair.send(pair.client, pair.server, b"in the child")

    assert outcome_in_child(work) == b"in the child"
    # The parent has not moved, and goes its own way.
    pair.handshake()
    assert pair.send(pair.server, pair.client, b"in the parent") == b"in the parent"


def test_fork_in_the_middle_of_the_handshake(certificates, version):
    pair = peers.MemoryPair(
        peers.client_context(certificates, version), peers.server_context(certificates.localhost, version)
    )
    with pytest.raises(tls.SSLWantReadError):
        pair.client.do_handshake()
    with pytest.raises(tls.SSLWantReadError):
        pair.server.do_handshake()

    def work():
        pair.handshake()
        return pair.send(pair.client, pair.server, b"in the child")

    assert outcome_in_child(work) == b"in the child"
    pair.handshake()
    assert pair.send(pair.server, pair.client, b"in the parent") == b"in the parent"


def test_a_child_that_ends_does_not_end_the_parents_connection(certificates, version):
    context = peers.server_context(certificates.localhost, version)
    with peers.Server(peers.echo, context) as server:
        connection = peers.client_context(certificates, version).wrap_socket(
            server.connect(), server_hostname="localhost"
        )

        def work():
            connection.close()
            return b"closed"

        assert outcome_in_child(work) == b"closed"
        connection.sendall(b"still here")
        assert connection.recv(100) == b"still here"
        peers.hang_up(connection)


HANDSHAKE = """
import os
try:
    import _tls_bootstrap as tls
except ImportError as error:
    os.write({descriptor}, ("ImportError: %s" % error).encode())
else:
    ca, certificate, key = tls._core.make_throwaway_chain(["localhost"], 1)
    path = {directory!r} + "/%d.pem" % {number}
    with open(path, "wb") as stream:
        stream.write(b"".join(each if isinstance(each, bytes) else each.encode() for each in (certificate, key)))
    server = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=ca if not isinstance(ca, bytes) else ca.decode())
    one, other = tls.MemoryBIO(), tls.MemoryBIO()
    ends = [client.wrap_bio(one, other, server_hostname="localhost"), server.wrap_bio(other, one, server_side=True)]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
            except tls.SSLWantReadError:
                continue
            ends.remove(end)
    try:
        client.wrap_bio(one, other)
    except ValueError as error:
        pass
    os.write({descriptor}, end.version().encode())
"""

RUN_LEGACY = """
import os, sys
try:
    import _testcapi
except ImportError:
    sys.exit("no _testcapi")
import _tls_bootstrap
code = sys.argv[1]
reading, writing = os.pipe()
for number in range(3):
    status = _testcapi.run_in_subinterp(code.replace("DESCRIPTOR", str(writing)).replace("NUMBER", str(number)))
    if status:
        sys.exit("the subinterpreter failed with %d" % status)
    print(os.read(reading, 1000).decode())
assert _tls_bootstrap.SSLContext().options  # the first interpreter's is unharmed
"""

RUN_OWN_GIL = """
import os, sys, threading
import _interpreters
import _tls_bootstrap
code = sys.argv[1]
lines = []
def run(number):
    reading, writing = os.pipe()
    interpreter = _interpreters.create("isolated")
    failure = _interpreters.exec(interpreter, code.replace("DESCRIPTOR", str(writing)).replace("NUMBER", str(number)))
    lines.append(str(failure) if failure else os.read(reading, 1000).decode())
    _interpreters.destroy(interpreter)
threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for line in lines: print(line)
assert _tls_bootstrap.SSLContext().options
"""


def subinterpreter_code(directory):
    """HANDSHAKE with places for what the runner fills in."""
    return HANDSHAKE.format(descriptor="DESCRIPTOR", directory=str(directory), number="NUMBER")


def check_subinterpreters(result):
    """Each of three made a TLS 1.3 handshake, or was told in one line why it cannot."""
    lines = result.output.split("\n")[:3]
    assert result.status == 0, result
    for line in lines:
        assert line == "TLSv1.3" or line.startswith("ImportError: _tls_bootstrap: "), result
    assert len(set(line[:7] for line in lines)) == 1, result
    return lines


def test_legacy_subinterpreters(tmpdir):
    if not hasattr(pytest.importorskip("_testcapi"), "run_in_subinterp"):
        pytest.skip("2.7 has nothing in Python that starts a subinterpreter")
    check_subinterpreters(children.run_python(RUN_LEGACY, [subinterpreter_code(tmpdir)]))


SECOND_USER = """
import sys
import _tls_bootstrap as tls
before = tls.SSLError
modules = sys.modules
sys.modules = dict(modules)  # how the C half tells interpreters apart
try:
    tls._errors.hand_over(tls._core)
except ImportError as error:
    print(error)
sys.modules = modules
try:
    tls.SSLContext().load_verify_locations(cadata=b"no certificate")
except before:
    print("unharmed")
"""


def test_a_state_that_belongs_to_another_interpreter_is_left_alone():
    result = children.run_python(SECOND_USER)
    assert result.status == 0, result
    assert result.output.startswith("_tls_bootstrap: another interpreter of this process uses it"), result
    assert result.output.endswith("unharmed\n"), result


@pytest.mark.skipif(sys.version_info < (3, 13), reason="before 3.13 there is no module _interpreters")
def test_subinterpreters_with_a_gil_of_their_own(tmpdir):
    lines = check_subinterpreters(children.run_python(RUN_OWN_GIL, [subinterpreter_code(tmpdir)]))
    assert lines == ["TLSv1.3"] * 3
