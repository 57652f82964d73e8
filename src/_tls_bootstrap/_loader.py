# SPDX-License-Identifier: Apache-2.0
"""Finds the C half, makes sure that it can be loaded, and loads it.

The dynamic loader maps a truncated file without complaint and the process then dies of SIGBUS, which
no `except` clause catches.  Everything that can be told from the file is therefore checked before.
"""

import os
import sys

FIPS_STATE = "/proc/sys/crypto/fips_enabled"

# For tests: "1" makes the bundled flavour refuse to load as it does on a kernel in FIPS mode.  It
# can only turn the refusal on.
FIPS_SEAM = "TLS_BOOTSTRAP_ASSUME_FIPS"

_ADVICE = "reinstall the package that provides _tls_bootstrap for this Python"

# e_machine of the ELF header by what uname calls the machine: 64-bit and 32-bit processes.
_MACHINES_64 = {
    "x86_64": 62,
    "aarch64": 183,
    "ppc64le": 21,
    "ppc64": 21,
    "s390x": 22,
    "riscv64": 243,
    "loongarch64": 258,
}
_MACHINES_32 = {"x86_64": 3, "i686": 3, "i586": 3, "i386": 3, "armv7l": 40, "aarch64": 40}


def load_core(directory, version):
    """The C half as a module.

    directory, version: of this package.
    Raises ImportError, in one line that names the file and what to do, if it is absent, damaged,
    made for another machine or Python, or must not be used on this system.
    """
    _refuse_free_threaded()
    path = core_path(directory)
    problem = file_problem(path)
    if problem:
        raise ImportError("_tls_bootstrap: %s %s; %s" % (path, problem, _ADVICE))
    try:
        from . import _core
    except ImportError as error:
        raise ImportError("_tls_bootstrap: %s cannot be loaded by this Python (%s); %s" % (path, _one_line(error), _ADVICE))
    loaded = getattr(_core, "__file__", None)
    if loaded is None:  # 3.4 sets none where a module is loaded for the second time
        loaded = getattr(getattr(_core, "__spec__", None), "origin", None)
    if loaded != path and not _same_file(loaded, path):
        raise ImportError("_tls_bootstrap: %s was loaded in the place of %s; %s" % (loaded, path, _ADVICE))
    if _core.package_version != version:
        texts = (path, _core.package_version, version, _ADVICE)
        raise ImportError("_tls_bootstrap: %s is of version %s, the Python files beside it are of %s; %s" % texts)
    _refuse_unvalidated(_core)
    return _core


def core_path(directory):
    """Where the C half for this major version of Python has to be."""
    return os.path.join(directory, "_core.so" if sys.version_info[0] == 2 else "_core.abi3.so")


def file_problem(path):
    """What is wrong with the file, as the end of a sentence that starts with its name, or None."""
    try:
        with open(path, "rb") as stream:
            header = stream.read(64)
            size = os.fstat(stream.fileno()).st_size
            return _elf_problem(stream, header, size)
    except (IOError, OSError) as error:
        text = "is missing" if not os.path.lexists(path) else "cannot be read (%s)" % error.strerror
        other = _build_for_other_python(path)
        return text + (" (%s is there, which is for Python %s)" % other if other else "")


def _elf_problem(stream, header, size):
    wide = sys.maxsize > 2**32
    if len(header) < 52 or (wide and len(header) < 64):
        return "is truncated (%d bytes)" % size if header[:4] == b"\x7fELF"[: len(header)] else ("is not an ELF shared object")
    if header[:4] != b"\x7fELF":
        return "is not an ELF shared object"
    octets = bytearray(header)
    if octets[4] != (2 if wide else 1):
        return "is for a %d-bit Python" % (32 if wide else 64)
    if octets[5] != (1 if sys.byteorder == "little" else 2):
        return "is for a machine of the other byte order"
    if octets[7] not in (0, 3):  # System V and GNU/Linux
        return "is for another operating system (ELF ABI %d)" % octets[7]
    if _number(octets, 16, 2) != 3:  # ET_DYN
        return "is not an ELF shared object"
    machine = _number(octets, 18, 2)
    expected = (_MACHINES_64 if wide else _MACHINES_32).get(os.uname()[4], machine)
    if machine != expected:
        return "is for another machine (ELF machine %d, this one is %d)" % (machine, expected)
    needed = _end_of_contents(stream, octets, wide)
    if size < needed:
        return "is truncated (%d bytes of %d)" % (size, needed)
    return None


def _end_of_contents(stream, octets, wide):
    """The smallest size of an intact file: the end of its section headers and of each segment."""
    word = 8 if wide else 4
    segments = _number(octets, 32 if wide else 28, word)
    sections = _number(octets, 40 if wide else 32, word)
    counts = 54 if wide else 42
    segment_size, segment_count, section_size, section_count = (_number(octets, counts + 2 * index, 2) for index in range(4))
    end = max(sections + section_size * section_count, segments + segment_size * segment_count)
    stream.seek(segments)
    table = bytearray(stream.read(segment_size * segment_count))
    offset_at, size_at = (8, 32) if wide else (4, 16)
    for start in range(0, len(table) - segment_size + 1, segment_size or 1):
        end = max(end, _number(table, start + offset_at, word) + _number(table, start + size_at, word))
    return end


def _number(octets, offset, length):
    part = octets[offset : offset + length]
    value = 0
    for octet in part if sys.byteorder == "big" else reversed(part):
        value = value << 8 | octet
    return value


def _build_for_other_python(path):
    """(name, Python version) of the file that a build for another major version left, or None."""
    name = os.path.basename(path)
    for other, version in (("_core.so", "2.7"), ("_core.abi3.so", "3")):
        if other != name and os.path.exists(os.path.join(os.path.dirname(path), other)):
            return other, version
    return None


def _refuse_free_threaded():
    if "t" in getattr(sys, "abiflags", ""):
        raise ImportError(
            "_tls_bootstrap: free-threaded builds of Python cannot load modules of the stable ABI; "
            "use this version's build with the GIL"
        )


def _refuse_unvalidated(core):
    if core.flavour != "bundled":
        return
    if _kernel_in_fips_mode() or (not sys.flags.ignore_environment and core.secure_getenv(FIPS_SEAM) == "1"):
        raise ImportError(
            "_tls_bootstrap: this system is in FIPS mode (%s is 1) and the bundled OpenSSL is not "
            "validated; install the system flavour, which uses the distribution's OpenSSL" % FIPS_STATE
        )


def _kernel_in_fips_mode():
    try:
        with open(FIPS_STATE, "rb") as stream:
            return stream.read(8).strip() == b"1"
    except (IOError, OSError):
        return False


def _same_file(one, other):
    try:
        return os.path.samefile(one, other)
    except (OSError, TypeError):
        return False


def _one_line(error):
    return " ".join(str(error).split())
