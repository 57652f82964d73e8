# SPDX-License-Identifier: Apache-2.0
"""Loading `_tls_bootstrap` from the hook's own directory, and the test that it is complete."""

import os
import sys

from . import program

NAME = "_tls_bootstrap"

# What the pips up to 26 take from `ssl` at import. urllib3 2 asks for its names in one statement and
# goes on without any TLS when a single one is missing, so all of them are asked for beforehand.
NAMES = (
    "CERT_NONE CERT_OPTIONAL CERT_REQUIRED CertificateError HAS_ALPN"
    " HAS_NEVER_CHECK_COMMON_NAME HAS_SNI MemoryBIO OPENSSL_VERSION OPENSSL_VERSION_INFO"
    " OPENSSL_VERSION_NUMBER OP_ALL OP_NO_COMPRESSION OP_NO_SSLv2 OP_NO_SSLv3 OP_NO_TICKET OP_NO_TLSv1"
    " OP_NO_TLSv1_1 OP_NO_TLSv1_2 OP_NO_TLSv1_3 PROTOCOL_SSLv23 PROTOCOL_TLS PROTOCOL_TLS_CLIENT"
    " PROTOCOL_TLS_SERVER Purpose SSLCertVerificationError SSLContext SSLEOFError SSLError SSLObject"
    " SSLSocket SSLSyscallError SSLWantReadError SSLWantWriteError SSLZeroReturnError TLSVersion"
    " VERIFY_X509_PARTIAL_CHAIN VERIFY_X509_STRICT create_default_context match_hostname wrap_socket"
).split()
# Those of NAMES that only pips from 2023 on take. Each makes an enumeration, which costs the others as much as a tenth of
# loading all: it is asked whether they are listed, and `demand` asks again when they are taken.
LATE_NAMES = frozenset(("TLSVersion", "VERIFY_X509_PARTIAL_CHAIN", "VERIFY_X509_STRICT"))
CONTEXT_NAMES = (
    "cert_store_stats check_hostname get_ca_certs get_ciphers hostname_checks_common_name"
    " load_cert_chain load_default_certs load_verify_locations maximum_version minimum_version options"
    " post_handshake_auth protocol session_stats set_alpn_protocols set_ciphers"
    " set_default_verify_paths sslobject_class sslsocket_class verify_flags verify_mode wrap_bio"
    " wrap_socket"
).split()
CONNECTION_NAMES = "cipher do_handshake getpeercert get_unverified_chain version unwrap".split()
# What the package asks of its C half once pip is connecting, when no way leads back: `owner` -> names.
CORE_NAMES = (
    ("_SSLContext", "_load_verify_locations _set_alpn_protocols _wrap_bio _wrap_socket options set_ciphers".split()),
    ("_SSLSocket", "do_handshake get_unverified_chain getpeercert invalidate owner pending read shutdown write".split()),
    ("_SSLObject", "_sslobj read write".split()),
    ("Certificate", ["public_bytes"]),
)
# truststore sets these on its own subclass with super(...).<name>.__set__
CONTEXT_PROPERTIES = "minimum_version maximum_version options verify_flags verify_mode".split()


class Unusable(Exception):
    """`_tls_bootstrap` cannot stand in for `ssl`; the text says why."""


def load(finder):
    """Return (module, low_level_module) with every name that pips need, or raise.

    finder -- the finder of the .pth file; `finder.directory` is where `_tls_bootstrap` must be
    Raises Unusable for a module that is loaded from elsewhere or incomplete, and whatever the
    module raises itself while it is imported.
    """
    _refuse_impossible_key_log()
    if NAME in sys.modules:
        module = __import__(NAME)  # waits where another thread is just importing it
    else:
        module = _import_from_own_directory(finder)
    home = os.path.join(finder.directory, NAME)
    if os.path.dirname(os.path.abspath(getattr(module, "__file__", None) or "")) != home:
        raise Unusable("the %s in use is %s, not the one in %s" % (NAME, module, finder.directory))
    # What truststore imports as _ssl. Before 3.10, where no pip has that, nobody does: the C half will do, without a copy.
    low_level = getattr(module, "_ssl" if sys.version_info >= (3, 10) else "_core", None)
    probe(module, low_level)
    return module, low_level


def _refuse_impossible_key_log():
    """Before Python 3.8 `ssl` has no key log and pip asks for none; over us it would fail if it cannot be written."""
    path = program.secure_environment("SSLKEYLOGFILE")
    if not path or sys.version_info >= (3, 8):
        return
    place = path if os.path.lexists(path) else os.path.dirname(os.path.abspath(path))
    if not os.access(place, os.W_OK) or os.path.isdir(path):
        raise Unusable("SSLKEYLOGFILE=%s cannot be written" % path)


def _import_from_own_directory(finder):
    own = finder.own
    finder.own = dict(own, **{NAME: finder.directory})
    finder.names |= set([NAME])
    try:
        return __import__(NAME)
    except BaseException:
        for name in list(sys.modules):
            if name == NAME or name.startswith(NAME + "."):
                del sys.modules[name]
        raise
    finally:
        finder.own = own
        finder.names -= set([NAME])


def demand(module, names):
    """Raise Unusable unless those of the names that were only looked up in a list can be had."""
    for name in LATE_NAMES.intersection(names):
        try:
            getattr(module, name)
        except Exception as error:  # its file is damaged, say: not an ImportError, which urllib3 would take for an old `ssl`
            raise Unusable("%s lacks %s (%s)" % (module.__file__, name, error))


def probe(module, low_level):
    """Raise Unusable unless the modules have all that the pips of every era take from `ssl` and `_ssl`."""
    lists = getattr(getattr(module, "_names", None), "lists", lambda name: False)
    late = [name for name in LATE_NAMES if lists(name)]
    missing = [name for name in NAMES if name not in late and not hasattr(module, name)]
    missing += ["_ssl.%s" % name for name in ("ENCODING_DER", "flavour", "is_plain_hostname") if not hasattr(low_level, name)]
    parts = [(module, "SSLContext", CONTEXT_NAMES)]
    parts += [(module, owner, CONNECTION_NAMES) for owner in ("SSLSocket", "SSLObject")]
    parts += [(low_level, owner, names) for owner, names in CORE_NAMES]
    for place, owner, names in parts:
        holder = getattr(place, owner, None)
        missing += ["%s.%s" % (owner, name) for name in names if not hasattr(holder, name)]
    for name in CONTEXT_PROPERTIES:
        if not hasattr(getattr(module.SSLContext, name, None), "__set__"):
            missing.append("SSLContext.%s as a property" % name)
    if missing:
        raise Unusable("%s lacks %s" % (module.__file__, ", ".join(missing)))
    if not issubclass(module.SSLError, OSError if sys.version_info[0] > 2 else IOError):
        raise Unusable("%s: SSLError is no OSError" % module.__file__)
    if tuple(module.OPENSSL_VERSION_INFO) < (1, 1, 1):
        raise Unusable("%s is linked to %s" % (module.__file__, module.OPENSSL_VERSION))
