# SPDX-License-Identifier: Apache-2.0
"""A file of certificate authorities is searched for issuers, not parsed as a whole, and nobody can tell from the results."""

import base64
import os
import random
import re
import threading

import pytest

import authority
import children
import peers
from trust import counts

import _tls_bootstrap as tls

ssl = pytest.importorskip("ssl", reason="what the files hold is compared with this Python's ssl")

SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def certificate(ca, name, subject, string_mask="utf8only"):
    """A further certificate, PEM, of an authority's key under another spelling of its name."""
    configuration = authority.write_file(
        ca.path(name + ".cnf"),
        "[req]\ndistinguished_name = names\nprompt = no\nstring_mask = %s\n[names]\ncommonName = x\n"
        "[extensions]\n%s" % (string_mask, authority.AUTHORITY_EXTENSIONS),
    )
    path = ca.path(name + ".pem")
    authority.run_openssl(
        ["req", "-x509", "-new", "-sha256", "-days", "30", "-config", configuration, "-extensions", "extensions"]
        + ["-subj", subject, "-key", ca.identity.key, "-out", path]
    )
    return authority.read_file(path)


class Files(object):
    """Authorities, the servers' certificates that they issued, and PEM files."""

    def __init__(self, tmpdir_factory):
        self.place = str(tmpdir_factory.mktemp("files"))
        self.strangers = [self.authority(tmpdir_factory, "stranger %d" % number) for number in range(3)]
        self.known = self.authority(tmpdir_factory, "The Authority")
        self.namesake = self.authority(tmpdir_factory, "The Authority")  # another key under the same name
        self.server = self.known.issue("server", "DNS:localhost")
        self.namesakes_server = self.namesake.issue("server", "DNS:localhost")

    @staticmethod
    def authority(tmpdir_factory, name):
        return authority.Authority(str(tmpdir_factory.mktemp("authority")), name)

    def pem(self, *authorities):
        return b"".join(authority.read_file(each.certificate) for each in authorities)

    def write(self, name, data):
        return authority.write_file(os.path.join(self.place, name), data)

    def bundle(self, *authorities):
        """The path of a file with these and the strangers."""
        data = self.pem(self.strangers[0], *authorities) + self.pem(*self.strangers[1:])
        return self.write("bundle-%d.pem" % len(os.listdir(self.place)), data)


@pytest.fixture(scope="module")
def files(tmpdir_factory):
    return Files(tmpdir_factory)


def client(*arguments, **keywords):
    """A context; each argument, and all keywords together, is one call of load_verify_locations."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    for argument in arguments:
        context.load_verify_locations(argument)
    if keywords:
        context.load_verify_locations(**keywords)
    return context


def handshake(context, server):
    return peers.MemoryPair(context, peers.server_context(server)).handshake()


def refused(context, server):
    """The X509_V_ERR_* for which a server is refused."""
    with pytest.raises(tls.SSLCertVerificationError) as caught:
        handshake(context, server)
    return caught.value.verify_code


def held(module, path):
    """What a module's context takes from a file: its certificates as DER, or that it refuses it."""
    context = module.SSLContext(module.PROTOCOL_TLS_CLIENT if hasattr(module, "PROTOCOL_TLS_CLIENT") else module.PROTOCOL_TLS)
    try:
        context.load_verify_locations(path)
    except module.SSLError:
        return "refused"
    stats = context.cert_store_stats()
    return sorted(context.get_ca_certs(binary_form=True)), stats["x509"], stats["x509_ca"], stats["crl"]


def test_a_handshake_parses_the_issuer_only(files):
    context = client(files.bundle(files.known))
    before = counts().parsed
    handshake(context, files.server)
    assert counts().parsed == before + 1
    handshake(context, files.server)
    assert counts().parsed == before + 1


def test_who_is_not_in_the_file_is_refused_without_parsing_it(files):
    context = client(files.bundle())
    before = counts().parsed
    assert refused(context, files.server) == 20  # X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    assert counts().parsed == before


def test_a_certificate_signed_by_a_namesake_is_refused(files):
    assert refused(client(files.bundle(files.namesake)), files.server) in (7, 20, 30)  # by signature or key identifier


def test_all_is_there_for_who_looks(files):
    path = files.bundle(files.known)
    context = client(path)
    assert context.cert_store_stats() == {"x509": 4, "crl": 0, "x509_ca": 4}
    context = client(path)
    handshake(context, files.server)  # one of them is in the store before
    assert len(context.get_ca_certs()) == 4
    assert sorted(context.get_ca_certs(binary_form=True)) == held(ssl, path)[0]


def test_what_is_loaded_later_comes_later(files):
    path, data = files.bundle(files.known), files.pem(files.namesake).decode("ascii")
    context, looked_at = client(path), client(path)
    looked_at.cert_store_stats()
    for each in (context, looked_at):
        each.load_verify_locations(cadata=data)
    assert context.get_ca_certs(binary_form=True) == looked_at.get_ca_certs(binary_form=True)


def test_a_servers_own_certificate_can_be_trusted(files):
    path = files.write("own.pem", authority.read_file(files.server.certificate) + files.pem(*files.strangers))
    context = client(path)
    assert refused(context, files.server) == 20
    context = client(path)
    context.verify_flags |= tls.VERIFY_X509_PARTIAL_CHAIN
    handshake(context, files.server)


@pytest.mark.parametrize("order", ["one file", "file, file", "file, data", "data, file", "directory, file", "file, directory"])
def test_two_authorities_of_one_name(order, files):
    """OpenSSL looks no further once it has a certificate of the name, so one must not hide the other."""
    one, other = files.bundle(files.known), files.bundle(files.namesake)
    data = files.pem(files.namesake).decode("ascii")
    if order == "one file":
        context = client(files.bundle(files.known, files.namesake))
    elif order == "file, file":
        context = client(one, other)
    elif order == "file, data":
        context = client(one)
        context.load_verify_locations(cadata=data)
    elif order == "data, file":
        context = client(cadata=data)
        context.load_verify_locations(one)
    else:
        directory = os.path.join(files.place, order.replace(", ", "-"))
        os.mkdir(directory)
        printed = authority.run_openssl(["x509", "-noout", "-subject_hash", "-in", files.namesake.certificate])
        authority.write_file(os.path.join(directory, printed.strip() + ".0"), files.pem(files.namesake))
        context = client(capath=directory) if order == "directory, file" else client(one)
        context.load_verify_locations(one if order == "directory, file" else None, directory)
    handshake(context, files.server)
    if "directory" not in order:  # a directory is only asked for names that no file has
        handshake(context, files.namesakes_server)
        handshake(context, files.server)


def test_a_directory_does_not_hide_the_file(files):
    """OpenSSL takes all that is in a directory's file, whatever the name of the file says."""
    directory = os.path.join(files.place, "several")
    os.mkdir(directory)
    other = files.strangers[0].issue("other", "DNS:localhost")
    printed = authority.run_openssl(["x509", "-noout", "-subject_hash", "-in", files.strangers[0].certificate])
    authority.write_file(os.path.join(directory, printed.strip() + ".0"), files.pem(files.strangers[0], files.namesake))
    context = client(authority.write_file(os.path.join(files.place, "one.pem"), files.pem(files.known)))
    context.load_verify_locations(capath=directory)
    handshake(context, other)
    assert context.cert_store_stats()["x509"] == 3
    context = client(os.path.join(files.place, "one.pem"))
    context.load_verify_locations(capath=directory)
    handshake(context, other)
    handshake(context, files.server)


def test_what_comes_after_a_handshake_counts_too(files):
    context = client(files.bundle(files.known))
    handshake(context, files.server)
    assert refused(context, files.namesakes_server) in (7, 20, 30)
    context.load_verify_locations(files.bundle(files.namesake))
    handshake(context, files.namesakes_server)
    handshake(context, files.server)
    assert context.cert_store_stats()["x509"] == 5


#: The second is in another order than the first, which is sorted by length: "a b" and "a   b".
SEVERAL = "a b+O=abcd", "/CN=a   b+O=abcd"
SPELLINGS = {
    "case": ("/CN=THE authority", "utf8only"),
    "spaces": ("/CN=  The   Authority ", "utf8only"),
    "kind of string": ("/CN=The Authority", "MASK:0x2"),  # B_ASN1_PRINTABLESTRING
    "teletex": ("/CN=The Authority", "MASK:0x4"),
    "two bytes each": ("/CN=The Authority", "MASK:0x800"),  # B_ASN1_BMPSTRING
    "order of a set": (SEVERAL[1], "utf8only"),
}


@pytest.mark.parametrize("how", sorted(SPELLINGS))
@pytest.mark.parametrize("whose", ["the file's", "the server's issuer"])
def test_a_name_is_the_same_in_another_spelling(how, whose, files, tmpdir_factory):
    """RFC 5280 section 7.1, as X509_NAME_cmp has it."""
    subject, mask = SPELLINGS[how]
    ca = files.authority(tmpdir_factory, SEVERAL[0] if how == "order of a set" else "The Authority")
    if whose == "the file's":
        issued = ca.issue("server", "DNS:localhost")
        trusted = certificate(ca, "spelled", subject, mask)
    else:
        trusted = files.pem(ca)
        spelled = ca.path("spelled.pem")
        certificate(ca, "spelled", subject, mask)
        ca.identity = ca.identity._replace(certificate=spelled)
        issued = ca.issue("server", "DNS:localhost")
    handshake(client(files.write("spelled-%d.pem" % len(os.listdir(files.place)), trusted + files.pem(*files.strangers))), issued)


def test_the_systems_bundle_is_what_ssl_takes_it_for():
    if not os.path.exists(SYSTEM_BUNDLE):
        # Where that is depends on the distribution, and roots without ca-certificates have none.
        pytest.skip("no " + SYSTEM_BUNDLE)
    before = counts().parsed
    context = client(SYSTEM_BUNDLE)
    assert counts().parsed == before, "it was parsed as a whole"
    assert context.get_ca_certs()
    assert held(tls, SYSTEM_BUNDLE) == held(ssl, SYSTEM_BUNDLE)


def encoded(der, length=64):
    text = base64.b64encode(der)
    lines = [text[at : at + length] for at in range(0, len(text), length)]
    return b"-----BEGIN CERTIFICATE-----\n" + b"\n".join(lines) + b"\n-----END CERTIFICATE-----\n"


def forms(pem, der):
    """Name -> a file that OpenSSL reads in its own way."""
    body = pem.split(b"\n")
    return {
        "as it is": pem,
        "no newline at the end": pem.rstrip(),
        "text around": b"# one\n\nSubject: x\n" + pem + b"and more\n",
        "the same twice": pem + pem,
        "old label": pem.replace(b" CERTIFICATE", b" X509 CERTIFICATE"),
        "carriage returns": pem.replace(b"\n", b"\r\n"),
        "spaces behind lines": pem.replace(b"\n", b"  \n"),
        "spaces before lines": b"\n".join([body[0]] + [b" " + line for line in body[1:-2]] + body[-2:]),
        "long lines": encoded(der, 76),
        "short lines": encoded(der, 32),
        "one line": encoded(der, 100000),
        "odd lines": encoded(der, 61),
        "empty line within": pem.replace(b"\n", b"\n\n", 1),
        "a header": body[0] + b"\nX: y\n\n" + b"\n".join(body[1:]),
        "in a comment": b"# -----BEGIN CERTIFICATE-----\n" + pem,
        "behind text": b"x" + pem,
        "behind a mark": b"\xef\xbb\xbf" + pem,
        "behind a long line": b"#" * 253 + b"\n" + b"#" * 254 + pem,
        "no end": pem.replace(b"-----END CERTIFICATE-----", b""),
        "another end": pem.replace(b"END CERTIFICATE", b"END X509 CRL"),
        "begun twice": body[0] + b"\n" + pem,
        "a zero byte": b"#\0\n" + pem,
        "a line that begins with a zero byte": b"#\n\0\n" + pem,
        "only such lines": b"\0\n\0\n" + pem.replace(b" CERTIFICATE", b" X509 CERTIFICATE"),
        "a zero byte within": pem.replace(b"\n", b"\0\n", 2),
        "not base64": pem.replace(body[2][:4], b"!!!!"),
        "padding within": pem.replace(body[2][:4], b"QQ=="),
        "trailing bytes": encoded(der + b"\0\0\0"),
        "cut short": encoded(der[:-3]),
        "empty": encoded(b""),
        "a key too": pem + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    }


FORMS = sorted(forms(b"x\n\n\n", b""))
#: What OpenSSL reads otherwise since 3.0, and how: True if as the plain file, False if not at all. bullseye's `ssl` has 1.1.1.
SINCE_3_0 = {"behind a mark": True, "a key too": False}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_another_form_is_what_ssl_takes_it_for(form, files):
    pem = files.pem(files.known)
    der = tls.PEM_cert_to_DER_cert(pem.decode("ascii"))
    rest = files.pem(files.strangers[0])
    path = files.write("form-%d.pem" % FORMS.index(form), forms(pem, der)[form] + rest)
    if form in SINCE_3_0 and tls.OPENSSL_VERSION_INFO >= (3,):
        plain = held(tls, files.write("plain.pem", pem + rest))
        assert held(tls, path) == (plain if SINCE_3_0[form] else "refused")
    if form not in SINCE_3_0 or (tls.OPENSSL_VERSION_INFO >= (3,)) == (ssl.OPENSSL_VERSION_INFO >= (3,)):
        assert held(tls, path) == held(ssl, path)


#: How many changed certificates and changed files OpenSSL and we are asked about.
CHANGES = 700
TEXT_CHANGES = 300


@pytest.mark.parametrize("number", range(2))
def test_no_changed_certificate_is_accepted_that_openssl_refuses(number, files):
    """Bytes of a certificate are changed at random; memory that a context loads is always parsed.

    The places are the same each time, the certificates are not: a failure prints the bytes.
    """
    chance = random.Random(number)
    original = files.pem(([files.known] + files.strangers)[number])
    der = tls.PEM_cert_to_DER_cert(original.decode("ascii"))
    path = os.path.join(files.place, "changed.pem")
    searched, outcomes = 0, {True: 0, False: 0}
    for _ in range(CHANGES):
        changed = bytearray(der)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            changed[chance.randrange(4, len(changed))] = chance.choice((0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        authority.write_file(path, encoded(bytes(changed)))
        before = counts().parsed
        by_file = loads(cafile=path)
        searched += counts().parsed - before
        assert by_file == loads(cadata=bytes(changed)), base64.b64encode(changed)
        outcomes[by_file != "refused"] += 1
    assert min(outcomes.values()) > CHANGES // 20 and searched > CHANGES // 20, (outcomes, searched)


PIECES = tuple(
    b"-----BEGIN CERTIFICATE-----|-----END CERTIFICATE-----|-----|\n|\r\n| |=|==|-|:|# x\n|A|AAAA|\n\n|X509 ".split(b"|")
) + (b"x" * 300,)


def test_a_changed_file_is_what_openssl_takes_it_for(files):
    """Text is changed where lines end. Behind a comment with a BEGIN in it OpenSSL always reads the file itself."""
    chance = random.Random(0)
    text = files.pem(files.known, files.strangers[0])
    path = os.path.join(files.place, "changed-text.pem")
    searched, refused_files = 0, 0
    for _ in range(TEXT_CHANGES):
        changed = bytearray(text)
        for _ in range(chance.choice((1, 1, 1, 2))):
            ends = [match.start() for match in re.finditer(b"[\n-]", bytes(changed))]
            at = max(0, chance.choice(ends) + chance.randrange(-2, 3))
            piece = chance.choice(PIECES)
            changed[at : at + chance.choice((0, 0, 1, len(piece), 65))] = piece
        authority.write_file(path, bytes(changed))
        before = counts().parsed
        found = held(tls, path)
        searched += counts().parsed > before
        refused_files += found == "refused"
        authority.write_file(path, b"# -----BEGIN\n" + bytes(changed))
        before = counts().parsed
        assert found == held(tls, path), base64.b64encode(changed)
        assert counts().parsed == before
    assert min(searched, refused_files) > TEXT_CHANGES // 20, (searched, refused_files)


def loads(**what):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(**what)
    except tls.SSLError:
        return "refused"
    return context.cert_store_stats()


#: How often threads make the first handshakes of a new context at once.
RACES = 150


def test_threads_that_verify_at_once(files):
    """None finds some certificates of a name while another one is just putting them into the store."""
    namesakes = [certificate(files.namesake, "again-%d" % number, "/CN=The Authority") for number in range(10)]
    path = files.write("race.pem", files.pem(*files.strangers) + b"".join(namesakes) + files.pem(files.known))
    failures = []

    def work(context, server, start):
        start.wait(peers.LIMIT)
        try:
            if server is None:
                assert context.cert_store_stats()["x509"] == 14
            else:
                handshake(context, server)
        except Exception as problem:
            failures.append(problem)

    for _ in range(RACES):
        context, start = client(path), threading.Event()
        servers = (files.server, files.server, files.namesakes_server, None)
        threads = [threading.Thread(target=work, args=(context, server, start)) for server in servers]
        for thread in threads:
            thread.start()
        start.set()
        for thread in threads:
            thread.join()
        if context.cert_store_stats()["x509"] != 14:
            failures.append(context.cert_store_stats())
    assert not failures, "%d, such as %r" % (len(failures), failures[0])


GROWTH = """
import gc, io, os, resource, sys
sys.path.insert(0, {here!r})
import authority, peers
from trust import tls
bundle, certificate, key = sys.argv[1:]
server = peers.server_context(authority.Identity(certificate, key))
def rounds(number):
    for _ in range(number):
        for look in (False, True):
            os.utime(bundle, None)  # so it is not kept, and read each time
            context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(bundle)
            peers.MemoryPair(context, server).handshake()
            if look:
                context.cert_store_stats()
    gc.collect()
    # Not ru_maxrss, which begins with what the process that started this one had.
    with io.open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * resource.getpagesize() // 1024
before = rounds(100)
print(rounds(300) - before)
"""


def test_nothing_of_it_is_left_behind(files):
    """In KiB: one certificate that is never freed is about 8 for each of 600 contexts, a bundle more."""
    here = os.path.dirname(os.path.abspath(__file__))
    grown = children.check_python(GROWTH.format(here=here), [files.bundle(files.known)] + list(files.server))
    assert int(grown) < 1500
