# SPDX-License-Identifier: Apache-2.0
"""Names that are resolved when they are first touched behave like names that were always there."""

import inspect
import pickle
import sys

import pytest

import children

import _tls_bootstrap as tls

#: One name of each module that is imported late, and an enumeration's member.
LATE = [
    "AlertDescription", "CERT_REQUIRED", "DefaultVerifyPaths", "MemoryBIO", "OP_NO_TICKET", "Options", "PEM_HEADER", "Purpose",
    "SSLContext", "SSLErrorNumber", "SSLObject", "SSLSocket", "SSL_ERROR_EOF", "TLSVersion", "VERIFY_X509_STRICT", "VerifyFlags",
    "VerifyMode", "_TLSMessageType", "base64", "match_hostname",
]  # fmt: skip

PREAMBLE = "import sys, _tls_bootstrap\nassert %r not in vars(sys.modules['_tls_bootstrap'])\n"


@pytest.mark.parametrize("name", LATE)
def test_by_attribute(name):
    code = PREAMBLE % name + "first = _tls_bootstrap.%s\nassert _tls_bootstrap.%s is first\n" % (name, name)
    code += "assert vars(sys.modules['_tls_bootstrap'])[%r] is first\nprint('bound')" % name
    assert children.check_python(code) == "bound"


@pytest.mark.parametrize("name", LATE)
def test_by_from_import(name):
    code = "from _tls_bootstrap import %s as found\nassert found is _tls_bootstrap.%s\nprint('same')" % (name, name)
    code = PREAMBLE % name + code
    assert children.check_python(code) == "same"


def test_dir_lists_them_before_they_are_touched_and_touches_none():
    code = (
        "import sys, _tls_bootstrap\n"
        "before = set(vars(sys.modules['_tls_bootstrap']))\n"
        "listed = dir(_tls_bootstrap)\n"
        "missing = set(%r) - set(listed)\n"
        "assert not missing, missing\n"
        "assert set(vars(sys.modules['_tls_bootstrap'])) == before\n"
        "print('listed')" % (LATE,)
    )
    assert children.check_python(code) == "listed"


def test_a_bare_import_imports_nothing_that_is_slow():
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import _tls_bootstrap\n"
        "print(' '.join(sorted(set(sys.modules) - before)))"
    )
    imported = children.check_python(code, options=["-S"]).split()
    slow = {"socket", "ssl", "_ssl", "enum", "re", "collections", "base64", "select", "functools", "__future__"}
    if sys.version_info[0] > 2:  # 2.7's base of all our errors is in there
        slow.add("_socket")
    assert not set(imported) & slow
    late = ("_constants", "_context", "_object", "_connection")
    assert not [name for name in late if "_tls_bootstrap." + name in imported]


def test_sockets_need_nothing_of_what_has_none():
    code = (
        "import sys, _tls_bootstrap as tls\n"
        "tls.SSLSocket, tls.SSLContext, tls.CERT_REQUIRED\n"
        "print(' '.join(name for name in sys.modules if name.startswith('_tls_bootstrap.')))"
    )
    imported = [name.partition(".")[2] for name in children.check_python(code).split()]
    assert "_connection" in imported and not {"_object", "_policy"} & set(imported)


def test_an_unknown_name_is_an_attribute_error_and_an_import_error():
    code = (
        "import _tls_bootstrap\n"
        "try: _tls_bootstrap.no_such_name\n"
        "except AttributeError as error: assert 'no_such_name' in str(error)\n"
        "try: from _tls_bootstrap import no_such_name\n"
        "except ImportError as error: print('refused')\n"
        "assert getattr(_tls_bootstrap, 'no_such_name', None) is None and not hasattr(_tls_bootstrap, '__path_hooks__')"
    )
    assert children.check_python(code) == "refused"


def test_what_a_program_has_put_there_stays():
    code = (
        "import _tls_bootstrap\n"
        "_tls_bootstrap.SSLObject = 'mine'\n"
        "_tls_bootstrap.MemoryBIO\n"
        "print(_tls_bootstrap.SSLObject)"
    )
    assert children.check_python(code) == "mine"


#: Where pickle has to find a class or a member again by its module's name.
PICKLED = ["SSLContext", "SSLSocket", "SSLObject", "Options", "TLSVersion", "CERT_REQUIRED", "OP_NO_TICKET", "match_hostname"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", PICKLED)
def test_by_pickle(name, protocol):
    value = getattr(tls, name)
    again = pickle.loads(pickle.dumps(value, protocol))
    assert again is value or again == value and type(again) is type(value)


@pytest.mark.parametrize("name", ["SSLContext", "TLSVersion", "match_hostname", "CERT_REQUIRED"])
def test_a_pickle_is_loaded_where_nothing_was_touched(name):
    octets = ",".join(str(octet) for octet in bytearray(pickle.dumps(getattr(tls, name), 0)))
    code = (
        "import pickle, sys\n"
        "found = pickle.loads(bytes(bytearray([%s])))\n"
        "print(found is sys.modules['_tls_bootstrap'].%s)" % (octets, name)
    )
    assert children.check_python(code) == "True"


def test_inspect_sees_a_module_with_its_members():
    assert inspect.ismodule(sys.modules["_tls_bootstrap"])
    assert inspect.getmodule(tls.SSLContext) is sys.modules["_tls_bootstrap"]
    assert inspect.isclass(tls.SSLSocket) and inspect.isroutine(tls.match_hostname)
    members = dict(inspect.getmembers(tls))
    assert set(LATE) <= set(members)
    assert members["SSLContext"] is tls.SSLContext
    assert inspect.getsourcefile(sys.modules["_tls_bootstrap"]).endswith("__init__.py")
    assert inspect.getdoc(tls).startswith("The API of Python 3.6's")


def test_inspect_reads_signatures_before_anything_else_was_touched():
    code = (
        "import inspect, _tls_bootstrap\n"
        "read = getattr(inspect, 'signature', None) or inspect.getargspec\n"
        "print('server_hostname' in str(read(_tls_bootstrap.SSLContext.wrap_bio)))"
    )
    assert children.check_python(code) == "True"


@pytest.mark.skipif(sys.version_info < (3, 4), reason="find_spec is 3.4's")
def test_find_spec_and_the_names_of_the_module():
    import importlib.util

    assert importlib.util.find_spec("_tls_bootstrap").name == "_tls_bootstrap"
    assert tls.__name__ == "_tls_bootstrap" and tls.__spec__.name == "_tls_bootstrap"
