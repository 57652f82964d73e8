# SPDX-License-Identifier: Apache-2.0
"""The types of the C half, as bases of a program's classes."""

import copy
import pickle
import sys

import pytest

import children
import peers

import _tls_bootstrap as tls
from _tls_bootstrap import _core

CACHED = 1 << 18  #: Py_TPFLAGS_HAVE_VERSION_TAG; from 3.10 on all are, and Python sets it no more

TYPES = sorted((each for each in vars(_core).values() if isinstance(each, type)), key=lambda each: each.__name__)
PUBLIC = [tls.MemoryBIO, tls.SSLContext, tls.SSLObject, tls.SSLSession, tls.SSLSocket]

# Classes of which each is gone before the next one is made.
MAKE_CLASSES = """
import gc
import _tls_bootstrap as tls
from _tls_bootstrap import _core

class Meta(type):
    pass

for base in tls.MemoryBIO, tls.SSLContext, tls.SSLObject, tls.SSLSocket, _core.MemoryBIO, _core._SSLContext, _core._SSLObject:
    for metaclass in type(base), Meta:
        for number in range(20):
            made = metaclass("Made", (base,), {"number": number})
            assert made.number == number
            del made
            gc.collect()
print("made")
"""


def test_the_types_are_found():
    names = [each.__name__ for each in TYPES]
    assert names == ["Certificate", "MemoryBIO", "SSLSession", "_SSLContext", "_SSLObject", "_SSLSocket"]


@pytest.mark.parametrize("type_", TYPES, ids=lambda each: each.__name__)
def test_attributes_of_a_type_may_be_cached(type_):
    assert type_.__flags__ & CACHED


@pytest.mark.skipif(sys.version_info >= (3, 10), reason="from Python 3.10 on the attributes of every class may be cached")
@pytest.mark.parametrize("class_", PUBLIC, ids=lambda each: each.__name__)
def test_attributes_of_a_class_may_be_cached(class_):
    assert class_.__flags__ & CACHED


def test_classes_with_a_metaclass_of_their_own_come_and_go():
    assert children.check_python(MAKE_CLASSES) == "made"


@pytest.fixture(params=[each.__name__ for each in TYPES])
def instance(request, certificates):
    """One of each type, in use."""
    client = peers.client_context(certificates)
    pair = peers.MemoryPair(client, peers.server_context(certificates.localhost)).handshake()
    return {
        "Certificate": pair.client._sslobj.get_unverified_chain()[0],
        "MemoryBIO": pair.to_server,
        "SSLSession": pair.client.session,
        "_SSLContext": client,
        "_SSLObject": pair.client,
        "_SSLSocket": pair.client._sslobj,
    }[request.param]


def by_pickle(protocol):
    return lambda instance: pickle.loads(pickle.dumps(instance, protocol))


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy}
COPIES.update(("pickle %d" % protocol, by_pickle(protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1))


@pytest.mark.parametrize("way", sorted(COPIES))
def test_no_copy_is_made(instance, way):
    """Before Python 3.6 it would be what the class makes without arguments: a context that verifies nothing."""
    with pytest.raises(TypeError):
        COPIES[way](instance)


def test_a_copy_is_refused_by_name():
    class Mine(tls.SSLContext):
        pass

    with pytest.raises(TypeError) as caught:
        copy.copy(Mine(tls.PROTOCOL_TLS_CLIENT))
    assert str(caught.value) == "cannot pickle 'Mine' object"


def made_again(ciphers):
    context = Remembering(tls.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(ciphers)
    return context


class Remembering(tls.SSLContext):
    """What a program does that sends its contexts to other processes."""

    def set_ciphers(self, ciphers):
        self.given = ciphers
        super(Remembering, self).set_ciphers(ciphers)

    def __reduce__(self):
        return made_again, (self.given,)


@pytest.mark.parametrize("way", sorted(COPIES))
def test_a_class_may_know_how_to_copy_itself(way):
    context = made_again("ECDHE+AESGCM")
    again = COPIES[way](context)
    assert type(again) is Remembering and again is not context
    assert again.given == "ECDHE+AESGCM" and again.verify_mode == tls.CERT_REQUIRED
    assert again.get_ciphers() == context.get_ciphers()
