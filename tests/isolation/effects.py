# SPDX-License-Identifier: Apache-2.0
"""What importing a module and first using it change in the process that does it.

    LD_PRELOAD=shim.so python effects.py SHIM CERTIFICATES MODULE [NEIGHBOUR ...]       (Python 2.7 and 3, Linux)

CERTIFICATES is a directory with ca.pem, certificate.pem and key.pem for "localhost"; the neighbours are imported before.
Prints a JSON object: "effects", a list of [stage, kind, detail] where stage is import or use; "resident", the KiB of
memory that the import added; "refused", how often random numbers were asked for and the shim played an old kernel.
MODULE is `_tls_bootstrap`, or one that has a function `first_use`.
"""

from __future__ import print_function

import atexit
import codecs
import ctypes
import gc
import json
import locale
import logging
import os
import random
import re
import resource
import signal
import socket
import sys
import threading
import warnings

try:
    import builtins  # noqa: F401
    import copyreg
except ImportError:
    import copy_reg as copyreg

#: Attributes that the interpreter itself sets while it runs.
OWN_ATTRIBUTES = {("sys", name) for name in ("last_value", "last_type", "last_traceback", "last_exc", "exc_type")}
libc = ctypes.CDLL(None)
libm = ctypes.CDLL("libm.so.6")


# ---- snapshots --------------------------------------------------------------------------------------------------


def lines(path):
    with open(path) as stream:
        return stream.read().splitlines()


def mapped():
    return set(line.split(None, 5)[5] for line in lines("/proc/self/maps") if line.count("/") and len(line.split(None, 5)) == 6)


def process_status():
    wanted = ("SigBlk", "SigIgn", "SigCgt", "Threads", "VmLck", "NoNewPrivs", "Seccomp", "CapEff", "Umask")
    return dict(line.split(":\t", 1) for line in lines("/proc/self/status") if line.split(":")[0] in wanted)


def c_environment():
    entries = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
    found = []
    while entries[len(found)] is not None:
        found.append(entries[len(found)])
    return sorted(repr(entry) for entry in found)


def descriptors():
    """Every open descriptor: what it is, and whether a program started now would inherit it."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + number)
            flags = [line for line in lines("/proc/self/fdinfo/" + number) if line.startswith("flags:")][0]
        except (OSError, IOError):
            continue  # the descriptor of the listing itself
        inherited = not int(flags.split()[1], 8) & 0o2000000
        found[number] = target + (" (inheritable)" if inherited else "")
    return found


def exit_functions():
    count = getattr(atexit, "_ncallbacks", None)
    return count() if count else len(getattr(atexit, "_exithandlers", []))


def shared_memory():
    """The segments that this process made."""
    rows = [line.split() for line in lines("/proc/sysvipc/shm")[1:]]
    return sorted(row[1] for row in rows if row[4] == str(os.getpid()))


class OtherOpenSSL(object):
    """The state of every libcrypto in the process that shows its names: what its other users could notice."""

    def __init__(self):
        self.libraries = {}

    def state(self):
        found = {}
        for path in sorted(mapped()):
            if re.search(r"libcrypto[^/]*\.so", path):
                try:
                    library = self.libraries.get(path) or ctypes.CDLL(path, ctypes.DEFAULT_MODE | os_noload())
                except OSError:
                    continue
                self.libraries[path] = library
                found[path] = self.of_library(library)
        return found

    def of_library(self, library):
        state = {}
        for name, kind in (
            ("ERR_peek_error", ctypes.c_ulong),
            ("RAND_get_rand_method", ctypes.c_void_p),
            ("CRYPTO_get_locking_callback", ctypes.c_void_p),
            ("CRYPTO_get_id_callback", ctypes.c_void_p),
            ("FIPS_mode", ctypes.c_int),
            ("ENGINE_get_first", ctypes.c_void_p),
            ("OSSL_LIB_CTX_get0_global_default", ctypes.c_void_p),
        ):
            function = getattr(library, name, None)
            if function is not None:
                function.restype = kind
                state[name] = function()
        if hasattr(library, "CRYPTO_get_mem_functions"):
            three = [ctypes.c_void_p() for _ in range(3)]
            library.CRYPTO_get_mem_functions(*[ctypes.byref(each) for each in three])
            state["memory functions"] = [each.value for each in three]
        if hasattr(library, "OSSL_PROVIDER_available"):
            library.OSSL_PROVIDER_available.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
            names = (b"default", b"legacy", b"fips", b"base", b"null")
            state["providers"] = [library.OSSL_PROVIDER_available(None, name) for name in names]
        if hasattr(library, "EVP_default_properties_is_fips_enabled"):
            library.EVP_default_properties_is_fips_enabled.argtypes = [ctypes.c_void_p]
            state["FIPS by default"] = library.EVP_default_properties_is_fips_enabled(None)
        return state


def os_noload():
    return getattr(os, "RTLD_NOLOAD", 4)


def defaults_of_ssl():
    module = sys.modules.get("ssl")
    if module is None:
        return None
    context = module.SSLContext(getattr(module, "PROTOCOL_TLS_CLIENT", module.PROTOCOL_SSLv23))
    ciphers = [each["name"] for each in context.get_ciphers()] if hasattr(context, "get_ciphers") else None
    return [
        int(context.options),
        int(context.verify_mode),
        ciphers,
        list(module.get_default_verify_paths()),
        context.cert_store_stats(),
    ]


def attributes():
    """The identity of every attribute of every module, to see which are bound anew."""
    return dict(
        ((name, key), id(value))
        for name, module in list(sys.modules.items())
        if module is not None and name != "__main__"
        for key, value in list(getattr(module, "__dict__", {}).items())
        if key not in ("_", "__warningregistry__")
    )


def snapshot(other_openssl):
    return {
        "openssl of others": other_openssl.state(),
        "ssl": defaults_of_ssl(),
        "threads": [len(os.listdir("/proc/self/task")), sorted(thread.name for thread in threading.enumerate())],
        "signals": dict((number, repr(signal.getsignal(number))) for number in range(1, 65) if number not in (32, 33)),
        "process": process_status(),
        "descriptors": descriptors(),
        "environment": sorted(os.environ.items()),
        "C environment": c_environment(),
        "exit functions": exit_functions(),
        "warnings": [[repr(each) for each in warnings.filters], id(warnings.showwarning), id(warnings.formatwarning)],
        "locale": [locale.setlocale(locale.LC_ALL), sys.getfilesystemencoding(), sys.getdefaultencoding()],
        "codecs": id(codecs.lookup_error("strict")),
        "sys": [
            [str(each) for each in sys.path],
            [repr(each) for each in sys.meta_path],
            len(sys.path_hooks),
            id(sys.excepthook),
            id(sys.displayhook),
            id(sys.stdout),
            id(sys.stderr),
            repr(sys.gettrace()),
            repr(sys.getprofile()),
            sys.getrecursionlimit(),
            getattr(sys, "getswitchinterval", getattr(sys, "getcheckinterval", None))(),
        ],
        "collector": [gc.isenabled(), gc.get_threshold(), len(getattr(gc, "callbacks", []))],
        "socket": [socket.getdefaulttimeout(), id(socket.socket)],
        "random": hash(random.getstate()),
        "directory": os.getcwd(),
        "limits": [resource.getrlimit(which) for which in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_STACK)],
        "dumpable": libc.prctl(3, 0, 0, 0, 0),
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "rounding": libm.fegetround(),
        "pickling": len(copyreg.dispatch_table),
        "logging": [len(logging.root.handlers), logging.root.level, len(logging.root.manager.loggerDict)],
        "shared memory": shared_memory(),
        "libraries": sorted(path for path in mapped() if re.search(r"lib(ssl|crypto)[^/]*\.so", path)),
    }


# ---- comparison --------------------------------------------------------------------------------------------------


def differences(before, after):
    for kind in sorted(before):
        old, new = before[kind], after[kind]
        if kind == "openssl of others":
            # Only those that were there before: a library that comes is told by "libraries".
            new = dict((path, new.get(path)) for path in old)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted(set(old) | set(new), key=str):
                if old.get(key) != new.get(key):
                    yield kind, "%s: %s -> %s" % (key, old.get(key), new.get(key))
        else:
            yield kind, "%s -> %s" % (shorter(old), shorter(new))


def shorter(value):
    text = str(value)
    return text if len(text) < 200 else text[:197] + "..."


def patches(before, after, modules_before):
    """Attributes of modules that were there before, bound anew or added."""
    for key in sorted(after, key=str):
        if key in OWN_ATTRIBUTES or key[0].startswith("_frozen_importlib"):
            continue
        if key in before and before[key] != after[key]:
            yield "attribute", "%s.%s bound anew" % key
        elif key not in before and key[0] in modules_before and ".".join(key) not in sys.modules:
            if not key[1].startswith("__"):
                yield "attribute", "%s.%s added" % key


def calls(log, package):
    """What the shim recorded, without the interpreter's reading of Python modules."""
    library = os.path.dirname(os.path.realpath(os.__file__))
    own = os.path.realpath(package) if package else None
    searched = set(os.path.realpath(each) for each in sys.path)
    for line in sorted(set(log.splitlines())):
        call, argument, caller = line.split("\t")
        name = os.path.basename(caller)
        if call == "open":
            path = os.path.realpath(argument)
            if path.startswith(library + os.sep) or (own and path.startswith(own + os.sep)):
                continue
            # 2.7 looks for a module by opening every name that it could have.
            if "python" in name and os.path.dirname(path) in searched and os.path.basename(path).startswith("_tls_"):
                continue
            yield "open", "%s by %s" % (argument, name)
        elif call != "getrandom refused":
            yield call, "%s by %s" % (argument or "-", name)


# ---- stages ------------------------------------------------------------------------------------------------------


def use_tls(tls, directory):
    """The first use: a client and a server context, two handshakes, random numbers."""
    authority, certificate, key = [os.path.join(directory, name + ".pem") for name in ("ca", "certificate", "key")]
    tls.create_default_context()
    server = tls.create_default_context(tls.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    client = tls.create_default_context(cafile=authority)
    to_server, to_client = tls.MemoryBIO(), tls.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(ends)
    for _ in range(6):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except tls.SSLWantReadError:
                pass
    assert not waiting, "the handshake does not end"
    ends[0].write(b"hello")
    assert ends[1].read(10) == b"hello"
    assert len(tls.RAND_bytes(16)) == 16 and tls.RAND_status()


def resident():
    return int(lines("/proc/self/statm")[0].split()[1]) * resource.getpagesize() // 1024


def main():
    shim = ctypes.CDLL(sys.argv[1])
    shim.audit_stop.restype = ctypes.c_char_p
    name = sys.argv[3]
    for neighbour in sys.argv[4:]:
        __import__(neighbour)
    warnings.simplefilter("default")
    os.urandom(1)  # on an old kernel Python keeps a descriptor for this
    others = OtherOpenSSL()
    snapshot(others), attributes(), sorted(calls("", ""))  # whatever these bring along is there before the first one counts
    before, bound = snapshot(others), attributes()
    modules = set(sys.modules)
    effects = []
    resident_before = resident()
    shim.audit_start()
    module = __import__(name)
    log = shim.audit_stop().decode("utf-8", "replace")
    added = resident() - resident_before
    package = os.path.dirname(module.__file__)
    effects += [["import", kind, detail] for kind, detail in calls(log, package)]
    imported = snapshot(others)
    effects += [["import", kind, detail] for kind, detail in differences(before, imported)]

    shim.audit_start()
    if hasattr(module, "first_use"):
        module.first_use()
    else:
        use_tls(module, sys.argv[2])
    gc.collect()
    log = shim.audit_stop().decode("utf-8", "replace")
    effects += [["use", kind, detail] for kind, detail in calls(log, package)]
    effects += [["use", kind, detail] for kind, detail in differences(imported, snapshot(others))]
    effects += [["use", kind, detail] for kind, detail in patches(bound, attributes(), modules)]
    print(json.dumps({"effects": effects, "resident": added, "refused": log.count("getrandom refused")}))


if __name__ == "__main__":
    main()
