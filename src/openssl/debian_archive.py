# SPDX-License-Identifier: Apache-2.0
"""Takes single files from a Debian suite with apt's own client, without touching the machine's apt configuration.

The mirror is the one this machine already uses, and apt's settings (proxies, time-outs) stay in force; only the
list of sources and apt's state directories are private. Works as an ordinary user.
"""

import os
import subprocess

from openssl.cache import make_directory
from openssl.errors import BuildError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror():
    """The address of the Debian archive this machine is configured for, or None (no apt, or not Debian)."""
    try:
        process = subprocess.Popen(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            env=_environment(),
        )
    except OSError:
        return None
    for uri in process.communicate()[0].split():
        if uri.rstrip("/").endswith("/debian"):
            return uri
    return None


def download_source(package, suite, directory):
    """Download the upstream tarball of a source package of `suite` into `directory`; returns its path.

    Raises BuildError when the machine has no Debian archive configured or apt fails.
    """
    return _download("deb-src", suite, directory, ["source", "--download-only", "--tar-only", "--only-source", package])


def download_package(package, suite, directory):
    """Download one binary package (.deb) of `suite` into `directory`; returns its path. Raises BuildError."""
    return _download("deb", suite, directory, ["download", package])


def _download(kind, suite, directory, command):
    uri = mirror()
    if uri is None:
        raise BuildError("this machine's apt names no Debian archive")
    state = os.path.join(directory, "apt")
    for part in ("state/lists/partial", "cache/archives/partial"):
        make_directory(os.path.join(state, part))
    sources = os.path.join(state, "sources.list")
    with open(sources, "w") as stream:
        signed_by = "[signed-by=%s] " % KEYRING if os.path.exists(KEYRING) else ""
        stream.write("%s %s%s %s main\n" % (kind, signed_by, uri, suite))
    options = [
        "-qq",
        "-o", "Dir::Etc::sourcelist=" + sources,
        "-o", "Dir::Etc::sourceparts=/dev/null",
        "-o", "Dir::State=" + os.path.join(state, "state"),
        "-o", "Dir::Cache=" + os.path.join(state, "cache"),
        "-o", "APT::Sandbox::User=",
        "-o", "APT::Update::Post-Invoke-Success::=",
        "-o", "Acquire::Languages=none",
        "-o", "Acquire::Retries=3",
    ]  # fmt: skip
    before = set(os.listdir(directory))
    _apt(options + ["update"], directory)
    _apt(options + command, directory)
    new = sorted(name for name in set(os.listdir(directory)) - before if name.endswith((".deb", ".gz", ".xz")))
    if len(new) != 1:
        raise BuildError("apt-get %s left %s in %s" % (" ".join(command), new or "nothing", directory))
    return os.path.join(directory, new[0])


def _apt(arguments, directory):
    process = subprocess.Popen(
        ["apt-get"] + arguments,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        env=_environment(),
    )
    output = process.communicate()[0]
    if process.returncode:
        raise BuildError("apt-get %s: %s" % (arguments[-1], output.strip() or "exit %d" % process.returncode))


def _environment():
    # The distribution's tools with the distribution's interpreters, whatever stands earlier on PATH.
    return dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL="C")
