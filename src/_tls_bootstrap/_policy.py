# SPDX-License-Identifier: Apache-2.0
"""The administrator's TLS policy for the bundled OpenSSL.

It comes from the file that TLS_BOOTSTRAP_CONF names, else from /etc/tls-bootstrap/openssl.cnf if
that exists, in one of two forms:

* a full OpenSSL configuration, whose `openssl_conf` leads to `ssl_conf` and that to `system_default`
  (config(5), SSL_CONF_cmd(3));
* a bare list of SSL_CONF commands, as a back end of crypto-policies is.

It is read when the first context is made and applied to each context after our own defaults.  A
policy that cannot be applied is an error and never passed over: a file that sets nothing, an unknown
command, a refused value.
"""

import errno
import os

from . import _compat, _core
from ._errors import SSLError

DEFAULT_PATH = "/etc/tls-bootstrap/openssl.cnf"
VARIABLE = "TLS_BOOTSTRAP_CONF"

# Names that vendors and OpenSSL's own sample put where the bare form has its commands, and that set
# nothing in a TLS context.
NOT_FOR_CONTEXTS = frozenset(["HOME", "RANDFILE", "config_diagnostics", "oid_file", "oid_section"])

_policy = None  # (path, commands) once read; path is None where there is no policy


def _fail(path, text):
    raise SSLError(1, "%s: %s" % (_compat.path_result(path), text))


def _line_of(path, name):
    """The number of the first line that sets `name`, or None (it may stand in an included file)."""
    wanted = name.encode("utf-8") if not isinstance(name, bytes) else name
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            if line.split(b"=", 1)[0].strip() == wanted and b"=" in line:
                return number
    return None


def _find():
    """The policy file as a path for the core, or None."""
    path = _compat.environment(VARIABLE)
    if path:
        path = _compat.path_argument(path, VARIABLE)
        required = True
    else:
        path = _compat.path_argument(DEFAULT_PATH, "path")
        required = False
    try:
        os.stat(path)
    except OSError as error:
        if not required and error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        _fail(path, "%s (the TLS policy%s)" % (error.strerror, " of " + VARIABLE if required else ""))
    return path


def _follow(path, section, name):
    """The section that an entry of another section names, with its contents."""
    entries = _core.read_configuration(path, section)
    if entries is None:
        _fail(path, "section [%s] is missing" % section)
    target = dict(entries).get(name)
    if target is None:
        _fail(path, "[%s] has no %s: no TLS setting would apply" % (section, name))
    return target


def _commands(path):
    top = _core.read_configuration(path, "default") or []
    start = dict(top).get("openssl_conf")
    if start is None:
        entries = [entry for entry in top if entry[0] not in NOT_FOR_CONTEXTS]
    else:
        section = _follow(path, _follow(path, start, "ssl_conf"), "system_default")
        entries = _core.read_configuration(path, section) or []
    # A prefix tells apart commands of the same name; back ends use it for the kind of protocol.
    commands = [(name, name.rsplit(".", 1)[-1], value) for name, value in entries if not name.startswith("DTLS.")]
    if not commands:
        _fail(path, "no TLS setting found; expected openssl_conf or a list of SSL_CONF commands")
    return commands


def _read():
    path = _find()
    return (path, [] if path is None else _commands(path))


def apply(context):
    """Applies the policy to a new context.  Raises SSLError that names file and line."""
    global _policy
    if _core.flavour != "bundled":
        return  # the distribution's own configuration is in force
    if _policy is None:
        _policy = _read()
    path, commands = _policy
    for name, command, value in commands:
        if command == "CipherString" and "PSK" not in value:
            # OpenSSL's "DEFAULT" has them; they are of use only where a program asks for them.
            value += ":!PSK"
        try:
            if context._configure(command, value):
                continue
            reason = "unknown command"
        except SSLError as error:
            reason = "value %r is refused: %s" % (value, error)
        line = _line_of(path, name)
        where = _compat.path_result(path) + (":%d" % line if line else "")
        raise SSLError(1, "%s: %s: %s" % (where, name, reason))
