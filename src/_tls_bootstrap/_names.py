# SPDX-License-Identifier: Apache-2.0
"""Which module holds which public name, and how a name is resolved when it is first touched.

From Python 3.7 on, a module may have a `__getattr__`.  Before, the package in sys.modules is given a
class that has one: by assignment to `__class__` where that works (3.5), else by a second module
object that takes the first one's place.
"""

import sys

from . import _late

HAS_MODULE_GETATTR = sys.version_info >= (3, 7)

_HOMES = {
    "_constants": (
        "CHANNEL_BINDING_TYPES",
        "PROTOCOL_SSLv23",
        "Purpose",
        "VerifyMode",
        "_ASN1Object",
        "_PROTOCOL_NAMES",
        "_SSLMethod",
        "get_protocol_name",
    ),
    "_options": ("Options",),
    "_versions": ("TLSVersion",),
    "_verify_flags": ("VerifyFlags",),
    "_error_numbers": ("SSLErrorNumber",),
    "_alerts": ("AlertDescription",),
    "_messages": ("_TLSAlertType", "_TLSContentType", "_TLSMessageType"),
    "_context": (
        "SSLContext",
        "_create_default_https_context",
        "_create_stdlib_context",
        "_create_unverified_context",
        "_https_verify_certificates",
        "_https_verify_envvar",
        "create_default_context",
    ),
    "_low_level": ("_ssl",),
    "_object": ("MemoryBIO", "SSLObject", "SSLSession"),
    "_socket": ("SSLSocket", "get_server_certificate", "sslwrap_simple", "wrap_socket"),
    "_hostname": ("_dnsname_match", "_inet_paton", "_ipaddress_match", "match_hostname"),
    "_certificates": (
        "DER_cert_to_PEM_cert",
        "PEM_FOOTER",
        "PEM_HEADER",
        "PEM_cert_to_DER_cert",
        "cert_time_to_seconds",
        "decode_certificate",
    ),
    "_default_paths": ("DefaultVerifyPaths", "get_default_verify_paths"),
    "_incidental": (
        "AF_INET",
        "SOCK_STREAM",
        "SOL_SOCKET",
        "SO_TYPE",
        "base64",
        "create_connection",
        "errno",
        "ipaddress",
        "namedtuple",
        "os",
        "re",
        "socket",
        "sys",
        "textwrap",
        "warnings",
    ),
}

# Names of the C half that are ready to be used as they are. Of a tuple: the byte code of a set's display has the order
# of that day's hashes.
_PLAIN = frozenset((
    "OPENSSL_VERSION",
    "OPENSSL_VERSION_INFO",
    "OPENSSL_VERSION_NUMBER",
    "RAND_add",
    "RAND_bytes",
    "RAND_egd",
    "RAND_pseudo_bytes",
    "RAND_status",
    "_DEFAULT_CIPHERS",
    "_OPENSSL_API_VERSION",
    "_SSLContext",
    "err_codes_to_names",
    "err_names_to_codes",
    "get_sigalgs",
    "lib_codes_to_names",
))

# Names of the C half that are plain integers there and members of an enumeration here: prefix -> its module.
_ENUMERATIONS = {
    "ALERT_DESCRIPTION_": "_alerts",
    "CERT_": "_constants",
    "OP_": "_options",
    "PROTOCOL_": "_constants",
    "SSL_ERROR_": "_error_numbers",
    "VERIFY_": "_verify_flags",
}
CONSTANT_PREFIXES = tuple(_ENUMERATIONS)

_home_of = dict((name, home) for home, names in _HOMES.items() for name in names)
_package = None
_core = None


def install(package_name, core):
    """Makes the public names of the package resolvable; the plain ones are bound at once."""
    global _package, _core
    _core = core
    _package = sys.modules[package_name]
    if not HAS_MODULE_GETATTR:
        _package = _with_getattr(_package)
    bound = vars(_package)
    for name, value in vars(core).items():
        if name in _PLAIN or name[:4] == "HAS_":
            bound[name] = value


def _home(name):
    """The module of a public name, or None."""
    home = _home_of.get(name)
    if home is None and name.startswith(CONSTANT_PREFIXES) and hasattr(_core, name):
        home = next(_ENUMERATIONS[prefix] for prefix in CONSTANT_PREFIXES if name.startswith(prefix))
    return home


def resolve(name):
    """The value of a public name that is not bound yet; binds it and its module's other names."""
    if name == "__all__":
        return [each for each in listing() if not each.startswith("_")]
    home = _home(name)
    if home is None:
        raise AttributeError("module %r has no attribute %r" % (_package.__name__, name))
    module = _late.load(home)
    bound = vars(_package)
    for each in getattr(module, "__all__", None) or _HOMES[home]:
        # Never over what a program has put there itself.
        if each not in bound and hasattr(module, each):
            setattr(_package, each, getattr(module, each))
    try:
        return bound[name]
    except KeyError:
        raise AttributeError("module %r has no attribute %r" % (_package.__name__, name))


def lists(name):
    """Whether listing() has a name that is still to be resolved, without making all of it."""
    home = _home(name)
    return home is not None and _late.is_there(home)


def listing():
    """What dir() of the package shows: bound names and those still to be resolved."""
    names = set(vars(_package))
    for home, held in _HOMES.items():
        if _late.is_there(home):
            names.update(held)
    prefixes = tuple(prefix for prefix in CONSTANT_PREFIXES if _late.is_there(_ENUMERATIONS[prefix]))
    names.update(name for name in vars(_core) if name.startswith(prefixes))
    if sys.version_info[0] == 2:
        names.discard("ipaddress")
    return sorted(names)


def _with_getattr(package):
    class _Package(type(sys)):  # here: to make a class takes a fortieth of the whole import, and most Pythons do not need it
        """A module whose missing attributes are looked up by resolve()."""

        def __getattr__(self, name):
            return resolve(name)

        def __dir__(self):
            return listing()

    try:
        package.__class__ = _Package
        return package
    except TypeError:
        replacement = _Package(package.__name__, package.__doc__)
        vars(replacement).update(vars(package))
        replacement._first = package  # 2.7 clears a module's globals when it is dropped
        sys.modules[package.__name__] = replacement
        return replacement
