# SPDX-License-Identifier: Apache-2.0
"""Builds the bundled OpenSSL as two static libraries and keeps them in the cache.

    python -m openssl.build [--arch ARCH]     (with src/ on PYTHONPATH; prints the directory as its last line)

The result holds lib/libssl.a, lib/libcrypto.a, include/openssl/, LICENSE.txt and build.txt (what it was made from).
"""

import argparse
import calendar
import glob
import os
import re
import shutil
import subprocess
import sys
import time

from openssl import cache, source
from openssl.errors import BuildError, run_main
from openssl.toolchain import Toolchain

# `uname -m` of the target -> Configure's name for it. Any other machine: OpenSSL guesses by itself.
CONFIGURE_TARGETS = {
    "x86_64": "linux-x86_64",
    "aarch64": "linux-aarch64",
    "ppc64le": "linux-ppc64le",
    "s390x": "linux64-s390x",
    "riscv64": "linux64-riscv64",
    "i686": "linux-x86",
    "armv7l": "linux-armv4",
}
# Link-time optimisation, which EL 9 and later and Ubuntu 22.04 and later have in their flags. Upstream says that its code
# breaks the rules of aliasing, which shows once the compiler sees more than a file, and does not mean to mend that
# (openssl issue 18663); Ubuntu builds its own OpenSSL without (its bug 2058017).
LINK_TIME_OPTIMISATION = re.compile(r"-flto|-ffat-lto-objects")

SIXTY_FOUR_BIT_LITTLE_ENDIAN = ("x86_64", "aarch64", "ppc64le", "riscv64")

# Compiled-in directories. Nothing is read from them by itself; they lie where only root can write.
DIRECTORIES = ["--prefix=/usr", "--libdir=lib/tls-bootstrap", "--openssldir=/etc/tls-bootstrap"]

# Settings of an enclosing make or distribution build that OpenSSL's own build must not take for its own.
FOREIGN_VARIABLES = (
    "AR ARFLAGS AS ASFLAGS CC CFLAGS CPP CPPFLAGS CPPDEFINES CPPINCLUDES CXX CXXFLAGS CROSS_COMPILE GNUMAKEFLAGS LD "
    "LDFLAGS LDLIBS MAKEFLAGS MAKELEVEL MAKEOVERRIDES MFLAGS RANLIB RC RCFLAGS RM OPENSSL_LOCAL_CONFIG_DIR PYTHONPATH"
).split()


def options(arch):
    """The words of src/openssl/options, and what fits the target."""
    words = []
    with open(os.path.join(source.HERE, "options")) as stream:
        for line in stream:
            words += line.split("#")[0].split()
    if arch in SIXTY_FOUR_BIT_LITTLE_ENDIAN:
        words.append("enable-ec_nistp_64_gcc_128")
    return words


def patches():
    return sorted(glob.glob(os.path.join(source.HERE, "patches", "*.patch")))


def key(toolchain, arch):
    """The cache key: every input of the build by content, so that any change makes a new entry."""
    inputs = [toolchain.identity, arch] + toolchain.cc[1:] + toolchain.cflags + toolchain.cppflags + toolchain.mandatory
    if source.unpacked_tree():
        inputs.append(source.tree_sum(source.unpacked_tree()))
    for path in [os.path.join(source.HERE, name) for name in ("version", "SHA256SUMS", "options", "build.py")] + patches():
        with open(path, "rb") as stream:
            inputs += [os.path.basename(path), stream.read()]
    return cache.key_of(*inputs)


def library(toolchain, arch):
    """The directory of the built library for this toolchain and target, built now if the cache lacks it."""
    return cache.entry("openssl", key(toolchain, arch), lambda directory: _build(toolchain, arch, directory))


def _build(toolchain, arch, directory):
    started = time.time()
    tree = _unpack(directory)
    for patch in patches():
        _run(["patch", "-p1", "--batch", "-i", patch], tree, None, "patch %s" % os.path.basename(patch))
    logs = os.path.abspath(os.path.join("build", "log"))
    cache.make_directory(logs)
    log = os.path.join(logs, "openssl-%s.log" % os.path.basename(directory).replace(cache.TEMPORARY, ""))
    print("openssl %s: configuring for %s with %s (log: %s)" % (source.version(), arch, toolchain.identity, log))
    sys.stdout.flush()
    with open(log, "w") as stream:
        _run(configure_command(toolchain, arch, tree), tree, stream, log)
        _write_build_information(toolchain, arch, tree)
        _make(toolchain, tree, stream, log)
    _keep(tree, directory)
    shutil.rmtree(tree)
    with open(os.path.join(directory, "build.txt"), "w") as stream:
        stream.write("OpenSSL %s\n%s\n%s\n" % (source.version(), toolchain.identity, " ".join(options(arch))))
        stream.write(" ".join(compiler_flags(toolchain) + toolchain.cppflags) + "\n")
    print("openssl %s: built in %.0f s" % (source.version(), time.time() - started))


def compiler_flags(toolchain):
    """CFLAGS and ours, without link-time optimisation, and at upstream's own level, -O3, where CFLAGS say -O2.

    At 1 KiB a write and its reads take 2 to 4 % less time by that, handshakes 1 to 2 %, for 7 % more bytes. Whoever asks for
    another level than -O2 gets it.
    """
    flags = [flag for flag in toolchain.cflags if not LINK_TIME_OPTIMISATION.match(flag)] + toolchain.mandatory
    levels = [flag for flag in flags if re.match(r"-O", flag)]
    return flags + ["-O3"] if levels[-1:] == ["-O2"] else flags


def configure_command(toolchain, arch, tree):
    """The words of the call of OpenSSL's Configure."""
    target = [CONFIGURE_TARGETS[arch]] if arch in CONFIGURE_TARGETS else []
    flags = compiler_flags(toolchain)
    if toolchain.has_debug_information:
        # Debug information would name the temporary directory.
        flags = flags + ["-fdebug-prefix-map=%s=openssl-%s" % (tree, source.version())]
    variables = [
        "CC=" + " ".join(toolchain.cc),
        "AR=" + " ".join(toolchain.ar),
        "RANLIB=" + " ".join(toolchain.ranlib),
        "CFLAGS=" + " ".join(flags),
        "CPPFLAGS=" + " ".join(toolchain.cppflags),
    ]
    return ["perl", "./Configure"] + target + DIRECTORIES + options(arch) + variables


def _unpack(directory):
    tree = os.path.join(directory, "openssl-%s" % source.version())
    given = source.unpacked_tree()
    if given:
        shutil.copytree(given, tree, symlinks=True)
    else:
        _run(["tar", "xzf", source.tarball(), "-C", directory, "--no-same-owner"], directory, None, "tar")
    if not os.path.exists(os.path.join(tree, "Configure")):
        raise BuildError("the source of OpenSSL has no openssl-%s/Configure" % source.version())
    return tree


def _write_build_information(toolchain, arch, tree):
    """Write what OpenSSL reports as its compiler and build date: nothing of the place or moment of this build."""
    environ = dict(_environment(), SOURCE_DATE_EPOCH=str(_release_epoch(tree)))
    command = ["perl", "util/mkbuildinf.pl", toolchain.identity, CONFIGURE_TARGETS.get(arch, arch)]
    text = subprocess.check_output(command, cwd=tree, env=environ)
    with open(os.path.join(tree, "crypto", "buildinf.h"), "wb") as stream:
        stream.write(text)


def _release_epoch(tree):
    """When upstream released this version, in seconds since 1970; the source says so itself ("9 Jun 2026")."""
    with open(os.path.join(tree, "VERSION.dat")) as stream:
        found = re.search(r'^RELEASE_DATE="(\d+) (\w{3})\w* (\d{4})"', stream.read(), re.M)
    if not found:
        raise BuildError("VERSION.dat of OpenSSL %s has no RELEASE_DATE" % source.version())
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    day, month, year = int(found.group(1)), months.index(found.group(2)) + 1, int(found.group(3))
    return calendar.timegm((year, month, day, 0, 0, 0))


def _make(toolchain, tree, log_stream, log):
    _run(["make", "-j%d" % toolchain.jobs, "build_generated"], tree, log_stream, log)
    plan = subprocess.Popen(["make", "-n", "build_libs"], cwd=tree, env=_environment(), stdout=subprocess.PIPE)
    total = len(re.findall(br" -c -o ", plan.communicate()[0]))
    process = subprocess.Popen(
        ["make", "-j%d" % toolchain.jobs, "build_libs"],
        cwd=tree,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    done, started, reported = 0, time.time(), time.time()
    visible = bool(os.environ.get("V"))
    for line in process.stdout:
        log_stream.write(line)
        if visible:
            sys.stdout.write(line)
        done += " -c -o " in line
        if not visible and time.time() - reported > 5:
            reported = time.time()
            print("openssl %s: %d of %d files, %.0f s" % (source.version(), done, total, reported - started))
            sys.stdout.flush()
    if process.wait():
        log_stream.flush()
        raise _failure("make build_libs", log)


def _keep(tree, directory):
    library_directory = os.path.join(directory, "lib")
    headers = os.path.join(directory, "include", "openssl")
    os.mkdir(library_directory)
    os.makedirs(headers)
    for name in ("libssl.a", "libcrypto.a"):
        shutil.copy(os.path.join(tree, name), library_directory)
    for path in glob.glob(os.path.join(tree, "include", "openssl", "*.h")):
        shutil.copy(path, headers)
    shutil.copy(os.path.join(tree, "LICENSE.txt"), directory)


def _run(command, directory, log_stream, log):
    try:
        status = subprocess.call(
            command, cwd=directory, env=_environment(), stdout=log_stream, stderr=subprocess.STDOUT if log_stream else None
        )
    except OSError as error:
        raise BuildError("%s: %s; install it (make deps)" % (command[0], error.strerror))
    if status:
        if log_stream:
            log_stream.flush()
        raise _failure(" ".join(command[:2]), log)


def _failure(what, log):
    tail = ""
    if os.path.isfile(log):
        with open(log) as stream:
            tail = "\n  " + "  ".join(stream.readlines()[-15:]).rstrip()
    return BuildError("OpenSSL %s: %s failed; see %s%s" % (source.version(), what, log, tail))


def _environment():
    environ = dict((name, value) for name, value in os.environ.items() if name not in FOREIGN_VARIABLES)
    environ["LC_ALL"] = "C"
    return environ


def main(arguments):
    parser = argparse.ArgumentParser(prog="openssl.build", description="Build the bundled OpenSSL into the cache.")
    parser.add_argument("--arch", default=os.uname()[4], help="the target machine, as `uname -m` names it")
    chosen = parser.parse_args(arguments)
    print(library(Toolchain(), chosen.arch))


if __name__ == "__main__":
    run_main(main)
