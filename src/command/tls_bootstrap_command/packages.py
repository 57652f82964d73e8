# SPDX-License-Identifier: Apache-2.0
"""Questions to the package database: who owns a file, and is it the file that was installed."""

import os
import subprocess

_DPKG = "/usr/bin/dpkg"
_DPKG_QUERY = "/usr/bin/dpkg-query"
_RPM = ("/usr/bin/rpm", "/bin/rpm")


def _ask(arguments):
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    with open(os.devnull, "rb+") as nothing:
        process = subprocess.Popen(arguments, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing, env=environment)
        out = process.communicate()[0].decode("utf-8", "replace")
    return process.returncode, out if isinstance(out, str) else out.encode("utf-8")


def _rpm():
    for path in _RPM:
        if os.access(path, os.X_OK):
            return path
    return None


def owner(path):
    """The name of the package that installed the file, or None."""
    path = os.path.realpath(path)
    if os.access(_DPKG_QUERY, os.X_OK):
        code, out = _ask([_DPKG_QUERY, "-S", path])
        owners = [line for line in out.splitlines() if ": " in line and not line.startswith(("diversion by ", "local diversion "))]
        if code == 0 and owners:
            return owners[0].rpartition(": ")[0].split(",")[0].split(":")[0]
    rpm = _rpm()
    if rpm is not None:
        code, out = _ask([rpm, "-qf", "--qf", "%{NAME}\n", path])
        if code == 0 and out.strip():
            return out.splitlines()[0].strip()
    return None


def is_changed(path, package):
    """True when the file differs from the one that `package` installed, None if that is not known."""
    path = os.path.realpath(path)
    if os.access(_DPKG, os.X_OK):
        code, out = _ask([_DPKG, "--verify", package])
        if code == 0 or out:
            return any(line.split()[-1:] == [path] for line in out.splitlines())
    rpm = _rpm()
    if rpm is not None:
        code, out = _ask([rpm, "-V", "--nodeps", package])
        if code == 0 or out:
            return any(line.split()[-1:] == [path] for line in out.splitlines())
    return None
