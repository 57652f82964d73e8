# SPDX-License-Identifier: Apache-2.0
"""Takes single files from the Debian archive with apt's own client, without touching the machine's apt configuration.

The mirror is the one this machine already uses, and apt's settings (proxies, time-outs) stay in force; only the
list of sources and apt's state directories are private. Works as an ordinary user.
"""

import os
import subprocess

from openssl.cache import make_directory
from openssl.errors import BuildError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


#: apt's downloader of single files.
HELPER = "/usr/lib/apt/apt-helper"


def mirror(archive="debian"):
    """The address of the Debian archive this machine is configured for, or None (no apt, or not Debian).

    archive -- "debian", or "debian-security" for the one with the security updates
    """
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
        if uri.rstrip("/").endswith("/" + archive):
            return uri.rstrip("/")
    return None


def download_file(uri, directory):
    """Download one file, known by its address alone, into `directory`; returns its path. Raises BuildError.

    Nothing is verified here: the caller knows the file's checksum. A suite's index is not asked, since it names its
    newest version only, and the archive keeps older ones while anything refers to them.
    """
    path = os.path.join(directory, uri.rpartition("/")[2])
    _apt([HELPER, "-o", "APT::Sandbox::User=", "-o", "Acquire::Retries=3", "download-file", uri, path], directory)
    return path


def download_package(package, suite, directory):
    """Download one binary package (.deb) of `suite` into `directory`; returns its path. Raises BuildError."""
    uri = mirror()
    if uri is None:
        raise BuildError("this machine's apt names no Debian archive")
    state = os.path.join(directory, "apt")
    for part in ("state/lists/partial", "cache/archives/partial"):
        make_directory(os.path.join(state, part))
    sources = os.path.join(state, "sources.list")
    with open(sources, "w") as stream:
        signed_by = "[signed-by=%s] " % KEYRING if os.path.exists(KEYRING) else ""
        stream.write("deb %s%s %s main\n" % (signed_by, uri, suite))
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
    _apt(["apt-get"] + options + ["update"], directory)
    _apt(["apt-get"] + options + ["download", package], directory)
    new = sorted(name for name in set(os.listdir(directory)) - before if name.endswith(".deb"))
    if len(new) != 1:
        raise BuildError("apt-get download %s left %s in %s" % (package, new or "nothing", directory))
    return os.path.join(directory, new[0])


def _apt(command, directory):
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            env=_environment(),
        )
    except OSError as error:
        raise BuildError("%s: %s" % (command[0], error.strerror))
    output = process.communicate()[0]
    if process.returncode:
        told = [line for line in output.splitlines() if line.startswith(("E:", "W:"))]
        raise BuildError("%s: %s" % (command[0], " ".join(told) or "exit %d" % process.returncode))


def _environment():
    # The distribution's tools with the distribution's interpreters, whatever stands earlier on PATH.
    return dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL="C")
