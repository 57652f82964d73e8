# SPDX-License-Identifier: Apache-2.0
"""Compiles `_tls_bootstrap._core` for Python 3 and 2.7 and lays out importable trees.

    python -m core.build [--flavour bundled|system] [--output DIR] [--arch ARCH] [--own-libc]

(with src/ on PYTHONPATH, in the top directory). It leaves DIR/py3/_tls_bootstrap and DIR/py2/_tls_bootstrap.
Only what changed is compiled again: an object is kept while its command, its sources and their headers are the same.

Environment: CC CFLAGS CPPFLAGS LDFLAGS JOBS as usual; PYTHON3, PYTHON2 interpreters whose headers are used (empty:
leave that one out); PREBUILT a tree made elsewhere whose binaries are copied instead of compiling; CORE_DIR another
directory of C sources; WERROR=1 makes warnings errors; CACHE see openssl/cache.py.
"""

import argparse
import filecmp
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

from core import headers, openssl_match
from openssl import build as openssl_build
from openssl import cache
from openssl import source as openssl_source
from openssl.errors import BuildError, run_main
from openssl.toolchain import Toolchain

BINARY = {3: "_core.abi3.so", 2: "_core.so"}
PACKAGE = "_tls_bootstrap"

WARNINGS = ["-Wall", "-Wextra", "-Wstrict-prototypes", "-Wpointer-arith", "-Wformat=2"]

# One exported name, nothing that a neighbour's library could replace or take, and never unloaded: a thread-exit
# handler lies in our text.
LINK = [
    "-Wl,-Bsymbolic",
    "-Wl,--gc-sections",
    "-Wl,--as-needed",
    "-Wl,-z,relro,-z,now,-z,noexecstack,-z,nodelete",
]


def main(arguments):
    parser = argparse.ArgumentParser(prog="core.build", description="Build the importable trees.")
    parser.add_argument("--flavour", choices=["bundled", "system"], default="bundled")
    parser.add_argument("--output", help="default: build, or build/system for the system flavour")
    parser.add_argument("--arch", default=os.uname()[4], help="the target machine, as `uname -m` names it")
    parser.add_argument("--own-libc", action="store_true", help="the compiler brings its own C library (zig)")
    chosen = parser.parse_args(arguments)
    output = chosen.output or ("build" if chosen.flavour == "bundled" else "build/system")
    cache.make_directory(output)
    with cache.locked(os.path.join(output, ".lock"), output):
        if os.environ.get("PREBUILT"):
            copy_prebuilt(os.environ["PREBUILT"], output)
        else:
            Build(chosen.flavour, output, chosen.arch, chosen.own_libc).run()


class Build(object):
    """One run of the compiler over everything that is not up to date."""

    def __init__(self, flavour, output, arch, own_libc):
        self.flavour = flavour
        self.output = output
        self.arch = arch
        self.own_libc = own_libc
        name = os.path.relpath(output, "build").replace(os.sep, "-").lstrip(".-")
        self.objects = os.path.join("build", "obj", name or flavour)
        self.core = os.environ.get("CORE_DIR") or os.path.join("src", "core")
        self.toolchain = Toolchain()
        self.sources = sorted(glob.glob(os.path.join(self.core, "*.c")))
        if not self.sources:
            raise BuildError("%s has no C sources" % self.core)

    def run(self):
        found = dict((major, headers.find(major)) for major in (3, 2))
        if not any(found.values()):
            raise BuildError("PYTHON3 and PYTHON2 are both empty: nothing to build")
        openssl_flags, libraries = self.openssl()
        self.check_openssl(openssl_flags, libraries)
        for major in (3, 2):
            tree = os.path.join(self.output, "py%d" % major)
            if found[major] is None:
                shutil.rmtree(tree, ignore_errors=True)
                continue
            self.build_one(major, found[major], openssl_flags, libraries, tree)

    def openssl(self):
        """(compile flags, link words) of the OpenSSL of this flavour."""
        if self.flavour == "system":
            return pkg_config("--cflags"), pkg_config("--libs") + ["-pthread", "-ldl"]
        library = openssl_build.library(self.toolchain, self.arch)
        # A name inside build/ keeps this machine's paths out of the compile lines and out of assertion texts.
        cache.make_directory(self.objects)
        link = os.path.join(self.objects, "openssl")
        replace_link(library, link)
        archives = [os.path.join(link, "lib", name) for name in ("libssl.a", "libcrypto.a")]
        return ["-isystem", os.path.join(link, "include")], archives + ["-pthread", "-ldl"]

    def check_openssl(self, openssl_flags, libraries):
        bundled = openssl_source.version() if self.flavour == "bundled" else None
        chooses_headers = self.toolchain.cppflags + self.toolchain.cflags + openssl_flags
        openssl_match.check(self.toolchain.cc, chooses_headers, libraries + self.toolchain.ldflags, bundled)

    def build_one(self, major, found, openssl_flags, libraries, tree):
        directory = os.path.join(self.objects, "py%d" % major)
        cache.make_directory(directory)
        if self.own_libc:
            found = headers.for_other_libc(found, os.path.join(directory, "headers"))
        compile_command = self.toolchain.cc + self.compile_flags(major, found) + openssl_flags
        identity = [self.toolchain.identity, found.version, os.path.realpath(os.path.join(self.objects, "openssl"))]
        objects, pending = [], []
        for source in self.sources:
            target = os.path.join(directory, os.path.basename(source)[:-2] + ".o")
            command = compile_command + ["-MMD", "-MP", "-MF", target[:-2] + ".d", "-c", source, "-o", target]
            objects.append(target)
            if not up_to_date(target, [source] + dependencies(target[:-2] + ".d"), command + identity):
                pending.append((command, target, command + identity))
        for leftover in set(glob.glob(os.path.join(directory, "*.o"))) - set(objects):
            os.unlink(leftover)
        run_all(pending, self.toolchain.jobs)
        self.link(major, objects, libraries, identity, tree)
        copy_python_files(tree)

    def compile_flags(self, major, found):
        with open("VERSION") as stream:
            version = stream.read().strip()
        flags = ["-std=gnu99", "-pthread"] + self.toolchain.cppflags + self.toolchain.cflags + self.toolchain.mandatory + WARNINGS
        if os.environ.get("WERROR") == "1":
            flags.append("-Werror")
        flags += ['-DTB_VERSION="%s"' % version, '-DTB_FLAVOUR="%s"' % self.flavour]
        if self.flavour == "bundled":
            flags.append("-DTB_BUNDLED_OPENSSL")
        # 2.7's headers break the aliasing rules and count on wrapping integers.
        flags += ["-DPy_LIMITED_API=0x03040000"] if major == 3 else ["-DTB_PYTHON2", "-fno-strict-aliasing", "-fwrapv"]
        if found.debug:
            # Said here too: Debian's debug headers are links, through which gcc sees the other build's pyconfig.h.
            flags.append("-DPy_DEBUG=1")
        for directory in found.directories:
            flags += ["-isystem", directory]
        return flags

    def link(self, major, objects, libraries, identity, tree):
        package = os.path.join(tree, PACKAGE)
        cache.make_directory(package)
        target = os.path.join(package, BINARY[major])
        version_script = os.path.join(self.core, "core.map")
        flags = list(LINK)
        if not self.own_libc:
            flags.append("-Wl,--exclude-libs,ALL")
        flags.append("-Wl,--version-script=" + version_script)
        if not self.toolchain.has_debug_information:
            flags.append("-s")
        words = self.toolchain.cflags + ["-fPIC", "-shared"] + objects + libraries + self.toolchain.ldflags + flags
        command = self.toolchain.cc + words
        record = os.path.join(self.objects, "py%d" % major, BINARY[major])
        inputs = objects + [version_script] + [name for name in libraries if name.endswith(".a")]
        if up_to_date(target, inputs, command + identity, record):
            return
        temporary = beside_package(target)
        run_all([(command + ["-o", temporary], None, None)], 1)
        os.rename(temporary, target)
        remember(record, command + identity)


def pkg_config(option):
    command = shlex_words(os.environ.get("PKG_CONFIG") or "pkg-config") + [option, "libssl", "libcrypto"]
    try:
        return subprocess.check_output(command, universal_newlines=True).split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(
            "%s: %s; the system flavour needs OpenSSL's headers: install libssl-dev or openssl-devel, and pkg-config"
            % (" ".join(command), error)
        )


def shlex_words(text):
    return text.split()


def dependencies(path):
    """The files that a -MMD file names, [] if there is none. Those that vanished stay in: they force a compile."""
    if not os.path.exists(path):
        return []
    with open(path) as stream:
        rule = stream.read().replace("\\\n", " ").split("\n", 1)[0]
    return rule.split(":", 1)[1].split()


def up_to_date(target, inputs, command, record=None):
    """Whether `target` was made by this command and is not older than any of its inputs."""
    record = (record or target) + ".cmd"
    try:
        with open(record) as stream:
            if stream.read() != signature(command):
                return False
        made = os.stat(target).st_mtime
        return all(os.stat(name).st_mtime <= made for name in inputs)
    except (OSError, IOError):
        return False


def remember(target, command):
    with open(target + ".cmd", "w") as stream:
        stream.write(signature(command))


def signature(command):
    return hashlib.sha256("\0".join(command).encode("utf-8")).hexdigest()


def run_all(pending, jobs):
    """Run (command, target, identity) jobs side by side, showing each line; stop at the first that fails."""
    running, waiting = [], list(pending)
    failed = None
    while waiting or running:
        while waiting and len(running) < jobs and not failed:
            command, target, identity = waiting.pop(0)
            print(" ".join(quoted(word) for word in command))
            sys.stdout.flush()
            if target and os.path.exists(target + ".cmd"):
                os.unlink(target + ".cmd")
            try:
                running.append((subprocess.Popen(command), command, target, identity))
            except OSError as error:
                raise BuildError("%s: %s" % (command[0], error))
        process, command, target, identity = running.pop(0)
        if process.wait():
            failed = failed or command
        elif target:
            remember(target, identity)
        if failed and not running:
            source = failed[failed.index("-c") + 1] if "-c" in failed else failed[-1]
            raise BuildError("the compiler failed: %s; its messages stand above" % source)


def quoted(word):
    return word if re.match(r"[\w@%+=:,./-]+$", word) else "'%s'" % word.replace("'", "'\\''")


def replace_link(target, link):
    if os.path.islink(link) and os.readlink(link) == target:
        return
    temporary = link + ".new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.rename(temporary, link)


def copy_python_files(tree):
    """Make the Python half of the tree equal to src/_tls_bootstrap; files that are equal keep their times."""
    source = os.path.join("src", PACKAGE)
    target = os.path.join(tree, PACKAGE)
    cache.make_directory(target)
    names = set(os.path.basename(path) for path in glob.glob(os.path.join(source, "*.py")))
    for name in names:
        replace_file(os.path.join(source, name), os.path.join(target, name))
    for path in glob.glob(os.path.join(target, "*.py")):
        if os.path.basename(path) not in names:
            os.unlink(path)


def replace_file(source, target):
    if os.path.exists(target) and filecmp.cmp(source, target, shallow=False):
        return
    temporary = beside_package(target)
    shutil.copyfile(source, temporary)
    os.rename(temporary, target)


def beside_package(target):
    """A name for a file being made: in the tree, but outside the package, which others may be reading or copying."""
    return os.path.join(os.path.dirname(os.path.dirname(target)), ".new-" + os.path.basename(target))


def copy_prebuilt(prebuilt, output):
    """Take the binaries of another tree (as `make portable` leaves it); the Python half is that of this source."""
    copied = 0
    for major in (3, 2):
        if os.environ.get("PYTHON%d" % major) == "":
            continue
        binary = os.path.join(prebuilt, "py%d" % major, PACKAGE, BINARY[major])
        if not os.path.exists(binary):
            continue
        tree = os.path.join(output, "py%d" % major)
        cache.make_directory(os.path.join(tree, PACKAGE))
        print("copying %s" % binary)
        replace_file(binary, os.path.join(tree, PACKAGE, BINARY[major]))
        copy_python_files(tree)
        copied += 1
    if not copied:
        raise BuildError(
            "PREBUILT=%s: no py3/%s/%s or py2/%s/%s there" % (prebuilt, PACKAGE, BINARY[3], PACKAGE, BINARY[2])
        )


if __name__ == "__main__":
    run_main(main)
