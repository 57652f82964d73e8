# SPDX-License-Identifier: Apache-2.0
"""The compiler as a distribution hands it over: CC, AR, RANLIB, CFLAGS, CPPFLAGS, LDFLAGS and JOBS."""

import multiprocessing
import os
import re
import shlex
import subprocess
import tempfile

from openssl.errors import BuildError

# What every object of ours is compiled with, whatever CFLAGS says: the module is one shared object that shows its
# init function only, and the linker can drop what it does not use. Functions begin where the processor fetches from:
# at the compiler's 16 bytes the same code takes up to 4 % more or less time with 1 KiB, as what lies before it happens
# to be long.
MANDATORY = ["-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-falign-functions=32"]
# Measured on x86-64 alone, and taken where the compiler knows them. gcc aligns what loops and jumps lead to: without, 1 KiB takes
# as long or up to 2 % less, for 2 % fewer bytes. All calls of other libraries are bound when the module is loaded, so a table of
# jumps to bind them later is only a detour: without it 1 KiB takes 0.5 % less.
FASTER_ON_X86_64 = ["-falign-loops=1", "-falign-jumps=1", "-fno-plt"]


class Toolchain(object):
    """One compiler with its flags. All members are lists of words, except `identity` (text) and `jobs` (int)."""

    def __init__(self, environ=os.environ):
        self.cc = shlex.split(environ.get("CC") or "gcc")
        self.ar = shlex.split(environ.get("AR") or "ar")
        self.ranlib = shlex.split(environ.get("RANLIB") or "ranlib")
        self.identity = self._identify(environ.get("CC_IDENTITY"))
        self.cflags = self._words(environ, "CFLAGS", self._default_cflags)
        self.cppflags = self._words(environ, "CPPFLAGS", self._default_cppflags)
        self.ldflags = self._words(environ, "LDFLAGS", list)
        faster = FASTER_ON_X86_64 if "x86_64" in self.identity else []
        self.mandatory = MANDATORY + [flag for flag in faster if self.accepts(flag)]
        self.jobs = jobs(environ)

    @property
    def has_debug_information(self):
        """Whether CFLAGS ask for it: a distribution then strips the file itself, after keeping the debug part."""
        wanted = [flag for flag in self.cflags if re.match(r"-g(\d|gdb|dwarf.*)?$", flag)]
        return bool(wanted) and wanted[-1] != "-g0"

    def accepts(self, flag):
        """Whether the compiler takes a flag (an EL7 or 14.04 compiler lacks some)."""
        directory = tempfile.mkdtemp(prefix="tls-bootstrap-")
        source, output = os.path.join(directory, "probe.c"), os.path.join(directory, "probe.o")
        try:
            with open(source, "w") as stream:
                stream.write("int probe(void);\nint probe(void) { return 0; }\n")
            command = self.cc + ["-Werror", flag, "-c", source, "-o", output]
            with open(os.devnull, "w") as null:
                return subprocess.call(command, stdout=null, stderr=null) == 0
        finally:
            for path in (source, output):
                if os.path.exists(path):
                    os.unlink(path)
            os.rmdir(directory)

    def _identify(self, given):
        if given:
            return given
        try:
            version = _output(self.cc + ["--version"])
            machine = _output(self.cc + ["-dumpmachine"])
        except (OSError, subprocess.CalledProcessError) as error:
            raise BuildError(
                "the C compiler %s does not run (%s): install one (make deps) or set CC" % (" ".join(self.cc), error)
            )
        # Only the first line: another may be the directory the compiler is installed in.
        return "%s, %s" % (version.splitlines()[0], machine)

    def _words(self, environ, name, default):
        return shlex.split(environ[name]) if environ.get(name) else default()

    def _default_cflags(self):
        strong = "-fstack-protector-strong"
        return ["-O2", "-pipe", strong if self.accepts(strong) else "-fstack-protector"]

    def _default_cppflags(self):
        fortified = any("_FORTIFY_SOURCE" in flag for flag in self.cflags)
        optimised = any(re.match(r"-O[1-3s]", flag) for flag in self.cflags)
        return ["-D_FORTIFY_SOURCE=2"] if optimised and not fortified else []


def jobs(environ=os.environ):
    """How many compilers to run at once: JOBS, make's -j, the distribution's setting, else one per processor."""
    for name, pattern in (
        ("JOBS", r"(\d+)$"),
        ("MAKEFLAGS", r"(?:^|\s)-?-?j(\d+)"),
        ("DEB_BUILD_OPTIONS", r"(?:^|\s)parallel=(\d+)"),
        ("RPM_BUILD_NCPUS", r"(\d+)$"),
    ):
        found = re.search(pattern, environ.get(name, ""))
        if found:
            return max(1, int(found.group(1)))
    return multiprocessing.cpu_count()


def _output(command):
    with open(os.devnull, "w") as null:
        return subprocess.check_output(command, stderr=null, universal_newlines=True).strip()
