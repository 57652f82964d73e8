# SPDX-License-Identifier: Apache-2.0
"""`make deps`: the distribution's packages and the tools that the build, the tests and the demo need.

    python -m toolkit.deps [--print] [--life-cycle] [--audit]

Tells what is missing, then installs it as root; as another user it prints the command for root and exits 1. When
nothing is missing it only says so.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable

from openssl.errors import BuildError, run_main
from toolkit import tools

#: Debian and Ubuntu package -> what needs it. A package that brings another of the list is enough for both.
PACKAGES = {
    "gcc": "compile the C half",
    "make": "the build",
    "perl": "OpenSSL's Configure",
    "pkg-config": "find the system's OpenSSL",
    "libssl-dev": "FLAVOUR=system",
    "python3-dev": "headers of the system's Python",
    "python3-dbg": "make refcounts",
    "python3-venv": "the tools' virtual environment",
    "ca-certificates": "downloads",
    "debian-archive-keyring": "signatures of the Debian archive",
    "patch": "patches to the bundled OpenSSL",
    "binutils": "make audit (readelf, nm)",
    "valgrind": "tests/bench: instruction counts (callgrind)",
    "dpkg-dev": "make deb",
    "debhelper": "make deb",
    "dh-python": "make deb",
    "devscripts": "tests of debian/watch (uscan)",
    "lintian": "make lint of the Debian packages",
    "fakeroot": "make deb as an ordinary user",
    "apt-utils": "apt-ftparchive: the apt repository",
    "rpm": "make rpm",
    "rpmlint": "make lint of the RPMs",
    "dnf": "installation tests of the RPMs",
    "dnf-plugins-core": "dnf download and repoquery in those tests",
    "createrepo-c": "the yum repository",
    "gnupg": "signatures of both repositories",
    "mmdebstrap": "throw-away roots",
    "cpio": "look inside RPMs",
    "xz-utils": "compression of packages",
    "zstd": "compression of packages and roots",
    "util-linux": "unshare: private mount namespaces for the roots",
    "qemu-user-static": "make audit of builds for another machine",
    "iproute2": "the loopback device in those",
    "python3-stdeb": "make stdeb",
    "python3-all-dev": "what stdeb builds with",
}
#: The same for make pbuilder and make life-cycle alone: a web server and builders are not for every machine.
LIFE_CYCLE = {
    "nginx-light": "serve the repositories",
    "strace": "kill package managers at a system call",
    "pbuilder": "build source packages in clean roots",
    "autopkgtest": "run debian/tests",
    "piuparts": "install, upgrade and purge the packages",
}

#: And for make audit alone.
AUDIT = {
    "reprotest": "make audit: builds twice in different surroundings",
    "diffoscope-minimal": "explain what differs between two builds",
    "faketime": "another time for one of them",
    "libffi-dev": "ctypes of the Pythons that it builds from source",
}

# The distribution's tools run with the distribution's interpreters, whatever a user's PATH puts before them.
ENVIRONMENT = dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND="noninteractive", LC_ALL="C")


def missing(packages: Iterable[str]) -> list[str]:
    """Those of the packages that are not installed."""
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Provides}\n"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    present = set()
    for line in query.stdout.splitlines():
        status, *names = line.replace(",", " ").split()
        if status == "installed":
            present.update(names)
    return [name for name in packages if name not in present]


def install(names: list[str]) -> None:
    """Install packages with apt-get, after an update of its lists. Raises BuildError."""
    for command in (["apt-get", "update", "-q"], _install_command(names)):
        print("+ " + shlex.join(command), flush=True)
        if subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, check=False).returncode:
            raise BuildError(f"{shlex.join(command)} failed; its own messages stand above")


def _install_command(names: list[str]) -> list[str]:
    return ["apt-get", "install", "-q", "--yes", "--no-install-recommends", *names]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.deps", description="Install what the build, tests and demo need.")
    parser.add_argument("--print", action="store_true", dest="only_print", help="tell what is missing, install nothing")
    parser.add_argument("--audit", action="store_true", help="and what make audit needs")
    parser.add_argument("--life-cycle", action="store_true", help="and what make life-cycle and make pbuilder need")
    chosen = parser.parse_args(arguments)
    packages = {**PACKAGES, **(LIFE_CYCLE if chosen.life_cycle else {}), **(AUDIT if chosen.audit else {})}
    if not shutil.which("dpkg-query", path=ENVIRONMENT["PATH"]):
        raise BuildError("make deps knows Debian and Ubuntu; on other systems install by hand: " + " ".join(packages))
    wanted = missing(packages)
    for name in wanted:
        print(f"missing: {name:24} {packages[name]}")
    if chosen.only_print:
        return 1 if wanted else 0
    if wanted and os.geteuid() != 0:
        raise BuildError(f"only root can install packages; run:\n  sudo {shlex.join(_install_command(wanted))}")
    if wanted:
        install(wanted)
    still = missing(packages)
    if still:
        raise BuildError(f"apt-get said it was done, but these are not installed: {' '.join(still)}")
    tools.environment()
    print(f"deps: all {len(packages)} packages and the tools are there")
    return 0


if __name__ == "__main__":
    run_main(main)
