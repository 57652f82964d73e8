# SPDX-License-Identifier: Apache-2.0
"""The binary gate: what a built file exports and needs, and how it is hardened, by readelf, nm and abi3audit."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openssl.errors import BuildError
from toolkit import tools
from toolkit.audit import control as audit_control
from toolkit.audit.model import Build, Gate, Verdict

#: The oldest glibc of the release matrix (EL7), for the builds that are to load there.
PORTABLE_GLIBC = "2.17"
#: Bytes that one `_core` may take, stripped.
SIZE_LIMIT = 5_000_000

INIT = {3: "PyInit__core", 2: "init_core"}

#: Libraries of glibc itself, which every process has; libpthread and libdl are part of libc from 2.34 on.
GLIBC_LIBRARIES = {"libc.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
#: The oldest version of the symbols of each OpenSSL that the system flavour may ask for: a process has one library of
#: each name, and a Python may have loaded an older one.
OPENSSL_FLOORS = {"libssl.so.3": "3.0.0", "libssl.so.1.1": "1.1.1"}
OPENSSL_LIBRARIES = {"libssl.so.3", "libcrypto.so.3", "libssl.so.1.1", "libcrypto.so.1.1"}

#: Underscored names that stable macros of the two APIs refer to; no other private name may be used.
MACRO_NAMES = {
    "_Py_NoneStruct", "_Py_TrueStruct", "_Py_FalseStruct", "_Py_ZeroStruct", "_Py_NotImplementedStruct",
    "_Py_EllipsisObject", "_Py_Dealloc", "_PyArg_ParseTuple_SizeT", "_PyArg_ParseTupleAndKeywords_SizeT",
    "_PyArg_Parse_SizeT", "_Py_BuildValue_SizeT", "_PyObject_CallFunction_SizeT", "_PyObject_CallMethod_SizeT",
    "_PyString_Resize",
}  # fmt: skip

#: In the stable ABI from 3.5 on; the core refers to it weakly and does without it on 3.4.
WEAK_ADDITIONS = {"PyModuleDef_Init"}


@dataclass(frozen=True)
class Finding:
    """One property of a binary: whether it holds, what it is, and what was seen."""

    holds: bool
    property: str
    seen: str

    def __str__(self) -> str:
        return f"  {'ok  ' if self.holds else 'FAIL'} {self.property}: {self.seen}"


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def numbers(version: str) -> tuple[int, ...]:
    """A dotted version as numbers, for comparing."""
    return tuple(int(part) for part in version.split("."))


def glibc_floor(path: Path) -> str:
    """The highest glibc symbol version a file asks for, "0" when it asks for none."""
    found = re.findall(r"GLIBC_(\d[\d.]*)", _output("readelf", "-VW", str(path)))
    return max(found, key=numbers, default="0")


def exports(path: Path) -> list[str]:
    """The names a file defines for others."""
    lines = _output("nm", "-D", "--defined-only", str(path)).splitlines()
    return [line.split()[-1].split("@")[0] for line in lines]


def examine(path: Path, major: int, glibc: str | None, bundled: bool) -> Iterator[Finding]:
    """Every property of one binary, in a fixed order. Raises BuildError when it cannot be read.

    glibc: the highest version of glibc's symbols that it may ask for, None for any.
    """
    try:
        dynamic = _output("readelf", "-dW", str(path))
        segments = _output("readelf", "-lW", str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"{path}: cannot be examined: {error}") from error
    undefined = [line.split() for line in _output("nm", "-D", "--undefined-only", str(path)).splitlines()]
    names = {words[-1] for words in undefined}

    shown = exports(path)
    yield Finding(shown == [INIT[major]], "exports", f"{len(shown)}: {' '.join(shown[:4])}")
    strays = sorted(words[-1] for words in undefined if words[0] == "U" and not re.match(r"_?Py|.*@", words[-1]))
    yield Finding(not strays, "undefined symbols are Python's or versioned", _list(strays))
    private = sorted(name for name in names if name.startswith("_Py") and name not in MACRO_NAMES)
    yield Finding(not private, "private Python names", _list(private))
    width = sorted(name for name in names if "UCS2" in name or "UCS4" in name)
    yield Finding(not width, "names that depend on the width of unicode", _list(width))
    needed = re.findall(r"NEEDED.*\[(.*?)\]", dynamic)
    allowed = GLIBC_LIBRARIES | (set() if bundled else OPENSSL_LIBRARIES)
    yield Finding(set(needed) <= allowed, "needs", _list(needed))
    floor = glibc_floor(path)
    if glibc:
        yield Finding(numbers(floor) <= numbers(glibc), f"glibc at most {glibc}", floor)
    own_path = "RPATH" in dynamic or "RUNPATH" in dynamic
    yield Finding(not own_path, "no library path of its own", _hit("R.*PATH", dynamic))
    yield Finding("TEXTREL" not in dynamic, "no text relocations", _hit("TEXTREL", dynamic))
    yield Finding(" NOW" in dynamic or "BIND_NOW" in dynamic, "bound at load time", _hit("NOW", dynamic))
    yield Finding("GNU_RELRO" in segments, "relocations read-only", _hit("GNU_RELRO", segments))
    yield Finding(not re.search(r"GNU_STACK.*RWE", segments), "stack not executable", _hit("GNU_STACK.*", segments))
    protector = _hit(r"__stack_chk_fail\S*", " ".join(names))
    yield Finding(protector != "none", "stack protector", protector)
    yield Finding("NODELETE" in dynamic, "never unloaded", _hit("NODELETE", dynamic))
    if bundled:
        yield Finding("SYMBOLIC" in dynamic, "binds to itself first", _hit("SYMBOLIC", dynamic))
        openssl = sorted(name for name in names if re.match(r"(SSL|EVP|OPENSSL|CRYPTO|BIO|X509|ERR|RAND|OSSL)_", name))
        yield Finding(not openssl, "OpenSSL names left open", _list(openssl))
        segments_of_memory = sorted(name for name in names if name.startswith("shm"))
        yield Finding(not segments_of_memory, "System V shared memory", _list(segments_of_memory))
        paths = foreign_paths(path)
        yield Finding(not paths, "directories of the building machine inside", _list(paths))
    else:
        yield _openssl_versions(path, needed)
    if major == 3:
        yield _stable_abi(path)
    size = path.stat().st_size
    yield Finding(size <= SIZE_LIMIT, f"at most {SIZE_LIMIT} bytes", str(size))


def _openssl_versions(path: Path, needed: list[str]) -> Finding:
    asked = set(re.findall(r"OPENSSL_(\d[\w.]*)", _output("readelf", "-VW", str(path))))
    floor = next((floor for name, floor in OPENSSL_FLOORS.items() if name in needed), "0")
    late = sorted(version for version in asked if _openssl_numbers(version) > _openssl_numbers(floor))
    return Finding(not late, f"OpenSSL's symbols of {floor} only", _list(late or sorted(asked)))


def _openssl_numbers(version: str) -> tuple[int, ...]:
    """3.0.0 or 1_1_1a; a letter counts as one more number."""
    return tuple(int(part) if part.isdigit() else ord(part) for part in re.findall(r"\d+|[a-z]", version))


def foreign_paths(path: Path) -> list[str]:
    """Texts in a file that name this source tree or the home directory of whoever built it."""
    content = path.read_bytes()
    return [place for place in {str(Path.cwd()), str(Path.home())} if place != "/" and place.encode() in content]


def _stable_abi(path: Path) -> Finding:
    command = [*tools.command("abi3audit"), "--assume-minimum-abi3", "3.4", "--report", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        (report,) = json.loads(done.stdout)["specs"].values()
        result = report["object"]["result"]
        late = set(result["future_abi3_objects"]) - WEAK_ADDITIONS
        names = sorted(late | set(result["non_abi3_symbols"]))
    except (ValueError, KeyError, TypeError) as error:
        return Finding(False, "stable ABI of 3.4 only", f"abi3audit's report cannot be read ({error}): {done.stderr[-200:]}")
    return Finding(not names, "stable ABI of 3.4 only", _list(names))


def _list(names: list[str]) -> str:
    return " ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "") or "none"


def _hit(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return " ".join(found[0].split()) if found else "none"


def examine_build(build: Build) -> Verdict:
    """The verdict of this gate on one build."""
    ceiling = PORTABLE_GLIBC if build.label.startswith("portable/") else None
    found = list(examine(build.binary, build.major, ceiling, build.flavour == "bundled"))
    return Verdict(
        "binary",
        build.label,
        [f"{item.property}: {item.seen}" for item in found if not item.holds],
        [f"{item.property}: {item.seen}" for item in found],
    )


def control() -> Verdict:
    """The same for a build that hides nothing."""
    return examine_build(audit_control.unhidden(3))


GATE = Gate(
    "binary",
    "one export, only Python's and versioned names, hardened, small",
    examine_build,
    control,
    ("exports", "bound at load time", "binds to itself first"),
)
