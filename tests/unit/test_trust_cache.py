# SPDX-License-Identifier: Apache-2.0
"""The process's cache of files of certificate authorities: faster, and in nothing else different from no cache."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

import authority
import children
import peers
from trust import counts, keep, settle, trusted

import _tls_bootstrap as tls

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope="module")
def authorities(tmpdir_factory):
    """Three CA certificates as PEM."""
    made = []
    for name in ("one", "two", "three"):
        directory = str(tmpdir_factory.mktemp(name))
        made.append(authority.read_file(authority.Authority(directory, "authority " + name).certificate))
    return made


def padded(pem, size):
    """The same certificate in a file of `size` bytes: text outside of the PEM block means nothing."""
    return pem + b"#" * (size - len(pem) - 1) + b"\n"


#: A time without a fraction: one with it 2.7's utime() cannot give back to a file exactly, nor 3.x's from a float.
LONG_AGO = 1000000000


@pytest.fixture(scope="module")
def files(authorities, certificates):
    """Name -> path of a file that no other test uses, in a directory that every user can enter.

    All are written at once and have settled, so that only one test waits.
    """
    place = tempfile.mkdtemp(prefix="tls-bootstrap-trust-")
    os.chmod(place, 0o755)
    size = max(map(len, authorities)) + 1
    ca = certificates.authority
    everything = b"".join(authorities)
    contents = {
        "all": everything,
        "alone": authorities[0],
        "rewritten": padded(authorities[0], size),
        "old": authorities[0],
        "new": authorities[1],
        "chmod": authorities[0],
        "setuid": authorities[0],
        "authority": authority.read_file(ca.certificate),
        "settings": distrusted(ca, place) + revocation_list(ca, place),
        # Longer than the buffer of the C library, or all would have been read before the first line is seen.
        "truncated": b"".join(padded(authorities[number % 3], 5000) for number in range(6)),
    }
    for number in range(6):
        contents["many %d" % number] = everything + b"\n" * number
    paths = dict((name, authority.write_file(os.path.join(place, name), data)) for name, data in contents.items())
    os.utime(paths["rewritten"], (LONG_AGO, LONG_AGO))
    settle(paths.values())
    yield paths
    shutil.rmtree(place)


def revocation_list(ca, place):
    """An empty revocation list of an authority, PEM."""
    configuration = authority.write_file(
        os.path.join(place, "crl.cnf"),
        "[ca]\ndefault_ca = authority\n[authority]\ndatabase = %s\ndefault_md = sha256\ndefault_crl_days = 3\n"
        % ca.path("index.txt"),
    )
    path = os.path.join(place, "crl.pem")
    authority.run_openssl(
        ["ca", "-gencrl", "-config", configuration, "-cert", ca.certificate, "-keyfile", ca.identity.key, "-out", path]
    )
    return authority.read_file(path)


def distrusted(ca, place):
    """An authority's certificate with the note that it must not vouch for servers, PEM."""
    path = os.path.join(place, "distrusted.pem")
    authority.run_openssl(["x509", "-in", ca.certificate, "-addreject", "serverAuth", "-out", path])
    return authority.read_file(path)


def test_a_kept_file_is_not_read_again(files):
    path = files["all"]
    first = trusted(path)
    keep(path)
    before = counts()
    assert trusted(path) == first and len(first) == 3
    after = counts()
    assert (after.uses, after.reads, after.parsed) == (before.uses + 1, before.reads, before.parsed)


def test_each_context_has_its_own_store(authorities, files):
    path = files["alone"]
    keep(path)
    more = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    more.load_verify_locations(path)
    more.load_verify_locations(cadata=authorities[1].decode("ascii"))
    more.load_verify_locations(path)  # what is there already is not added twice
    assert len(more.get_ca_certs()) == 2
    assert len(trusted(path)) == 1


def test_a_file_of_the_same_size_in_its_place(authorities, files):
    path = files["rewritten"]
    before = trusted(path)
    keep(path)
    moment = os.stat(path)
    authority.write_file(path, padded(authorities[1], moment.st_size))
    os.utime(path, (LONG_AGO, LONG_AGO))  # only the time of the last change of anything tells
    assert os.stat(path).st_mtime == moment.st_mtime == LONG_AGO
    after = trusted(path)
    assert os.stat(path).st_size == moment.st_size and os.stat(path).st_ino == moment.st_ino
    assert len(after) == 1 and after != before


def test_a_file_that_is_rewritten_at_once(authorities, tmpdir):
    # Within one tick of the clock that stamps files (on some kernels) both contents have the same times: what was
    # written so recently must not be kept at all.
    path = str(tmpdir.join("bundle.pem"))
    size = max(map(len, authorities)) + 1
    contents = [padded(pem, size) for pem in authorities[:2]]
    expected = []
    for content in contents:
        authority.write_file(path, content)
        expected.append(trusted(path))
    assert expected[0] != expected[1]
    uses = counts().uses
    for number in range(50):
        with open(path, "r+b") as stream:
            stream.write(contents[number % 2])
        assert trusted(path) == trusted(path) == expected[number % 2]
    assert counts().uses == uses


def test_a_file_that_replaces_another(authorities, files):
    path, other = files["old"], files["new"]
    keep(path)
    keep(other)
    os.rename(other, path)
    assert trusted(path) == [tls.PEM_cert_to_DER_cert(authorities[1].decode("ascii"))]
    os.unlink(path)
    with pytest.raises(EnvironmentError) as caught:
        trusted(path)
    assert caught.value.errno == errno.ENOENT and path in str(caught.value)


def test_no_more_than_four_files_are_kept(files):
    paths = [files["many %d" % number] for number in range(6)]
    expected = trusted(paths[0])
    for path in paths:
        keep(path)
    before = counts()
    assert before.kept == 4
    assert trusted(paths[-1]) == expected  # the last ones are there
    assert counts().reads == before.reads
    assert trusted(paths[0]) == expected  # the first one gave way
    assert counts().reads == before.reads + 1


def test_what_does_not_parse_is_the_same_error_each_time(authorities, tmpdir):
    damaged = authorities[0] + b"-----BEGIN CERTIFICATE-----\nAAAA\n"
    path = authority.write_file(str(tmpdir.join("bundle.pem")), damaged)
    messages = []
    for _ in range(2):
        with pytest.raises(tls.SSLError) as caught:
            trusted(path)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    empty = authority.write_file(str(tmpdir.join("empty.pem")), b"")
    with pytest.raises(tls.SSLError):
        trusted(empty)


def test_revocation_lists_and_trust_settings_are_kept(certificates, files):
    seen = []
    for _ in range(2):
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(files["settings"])
        with pytest.raises(tls.SSLCertVerificationError) as caught:
            peers.MemoryPair(context, peers.server_context(certificates.localhost)).handshake()
        seen.append((context.cert_store_stats(), caught.value.verify_code))
        keep(files["settings"])
    assert seen[0] == seen[1]
    assert seen[0][0]["crl"] == 1 and seen[0][1] == 28  # X509_V_ERR_CERT_REJECTED


def test_a_kept_authority_verifies(certificates, files):
    keep(files["authority"])
    client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(files["authority"])
    peers.MemoryPair(client, peers.server_context(certificates.localhost)).handshake()


PERMISSIONS = """
import errno, os, sys
sys.path.insert(0, {here!r})
from trust import keep, settle, tls, trusted
path, how = sys.argv[1:]
if os.geteuid() == 0 and how == "chmod":
    os.chown(path, 65534, 65534)
    trusted(path)
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
settle([path])
keep(path)
if how == "chmod":
    os.chmod(path, 0)
else:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    trusted(path)
except EnvironmentError as error:
    assert error.errno == errno.EACCES and not isinstance(error, tls.SSLError), error
    print("refused")
"""


@pytest.mark.parametrize("how", ["chmod", "setuid"])
def test_permissions_count_each_time(how, files):
    if how == "setuid" and os.geteuid() != 0:
        pytest.skip("only root can drop privileges")
    os.chmod(files[how], 0o600)
    assert children.check_python(PERMISSIONS.format(here=HERE), [files[how], how]) == "refused"


# Cuts the file that TRUNCATE names to LENGTH while it is read, once.
TRUNCATE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_PART 7000

size_t fread(void *into, size_t size, size_t count, FILE *file)
{
    static int done;
    size_t (*real)(void *, size_t, size_t, FILE *) = (size_t (*)(void *, size_t, size_t, FILE *))dlsym(RTLD_NEXT, "fread");
    const char *path = getenv("TRUNCATE");
    struct stat one, other;
    size_t first;

    if (done || path == NULL || size != 1 || count < FIRST_PART || fstat(fileno(file), &one) != 0 ||
        stat(path, &other) != 0 || one.st_ino != other.st_ino || one.st_dev != other.st_dev)
        return real(into, size, count, file);
    done = 1;
    first = real(into, 1, FIRST_PART, file);
    if (truncate(path, atol(getenv("LENGTH"))) != 0)
        abort();
    return first + real((char *)into + first, 1, count - first, file);
}

size_t __fread_chk(void *into, size_t room, size_t size, size_t count, FILE *file)
{
    (void)room;
    return fread(into, size, count, file);
}
"""

READ_WHILE_TRUNCATED = """
import io, os, sys
sys.path.insert(0, {here!r})
from trust import counts, keep, settle, trusted
path, = sys.argv[1:]
content = io.open(path, "rb").read()  # not by fread(), as open() does on 2.7
cut = len(trusted(path))
print(cut, os.path.getsize(path) == int(os.environ["LENGTH"]), counts().kept)
with open(path, "r+b") as stream:
    stream.write(content)
print(len(trusted(path)))
settle([path])
keep(path)
print(len(trusted(path)))
"""


def test_a_file_that_is_truncated_while_it_is_read(files, tmpdir, monkeypatch):
    compiler = os.environ.get("CC", "cc").split()
    source, shim = str(tmpdir.join("truncate.c")), str(tmpdir.join("truncate.so"))
    authority.write_file(source, TRUNCATE)
    try:
        subprocess.check_call(compiler + ["-shared", "-fPIC", "-O1", source, "-o", shim, "-ldl"])
    except OSError:
        pytest.skip("no C compiler for the library that truncates the file")
    path = files["truncated"]
    monkeypatch.setenv("LD_PRELOAD", shim)
    monkeypatch.setenv("TRUNCATE", path)
    monkeypatch.setenv("LENGTH", "5000")
    lines = children.check_python(READ_WHILE_TRUNCATED.format(here=HERE), [path]).splitlines()
    cut, was_cut, kept = lines[0].strip("()").replace(",", "").split()
    assert was_cut == "True", "the file was not truncated"
    assert int(cut) < 3, "it was read before it was truncated"
    assert int(kept) == 0, "half a file was kept"
    assert lines[1:] == ["3", "3"]


TWO_INTERPRETERS = """
import os, sys, threading
import _interpreters
sys.path.insert(0, {here!r})
from trust import counts, keep, tls, trusted
path, = sys.argv[1:]
keep(path)
code = '''
import sys
sys.path[:0] = %r
import _tls_bootstrap as tls
for _ in range(200):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(%r)
    assert len(context.get_ca_certs()) == 3
    ''' % (sys.path, path)
before = counts()
failures = []
def run():
    interpreter = _interpreters.create("isolated")
    failures.append(_interpreters.exec(interpreter, code))
    _interpreters.destroy(interpreter)
threads = [threading.Thread(target=run) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert failures == [None, None], failures
assert len(trusted(path)) == 3
after = counts()
# The lock is only tried, so a use may find it taken and read; all uses are one or the other.
uses = after.uses - before.uses
assert uses + after.reads - before.reads == 401 and uses > 200, (before, after)
print("shared")
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="before 3.13 there is no module _interpreters")
def test_two_interpreters_with_gils_of_their_own(files):
    assert children.check_python(TWO_INTERPRETERS.format(here=HERE), [files["all"]]) == "shared"


def test_threads_share_it(files):
    code = (
        "import sys, threading\n"
        "sys.path.insert(0, %r)\n"
        "from trust import counts, trusted\n"
        "paths = sys.argv[1:]\n"
        "wrong = []\n"
        "def work():\n"
        "    for number in range(300):\n"
        "        if len(trusted(paths[number %% len(paths)])) != 3: wrong.append(number)\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "assert not wrong and counts().kept == 4\n"
        "print('right')\n"
    )
    paths = [files["many %d" % number] for number in range(6)]
    assert children.check_python(code % HERE, paths) == "right"
