# SPDX-License-Identifier: Apache-2.0
"""The types of the C half, as bases of a program's classes."""

import sys

import pytest

import children

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
