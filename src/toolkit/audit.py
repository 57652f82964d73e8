# SPDX-License-Identifier: Apache-2.0
"""Examines built binaries with readelf, nm and abi3audit: what they export, need, and how they are hardened.

    python -m toolkit.audit [--glibc 2.17] TREE ...      (trees as `make build` and `make portable` leave them)
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.build import BINARY, PACKAGE
from openssl.errors import BuildError, run_main
from toolkit import tools

INIT = {3: "PyInit__core", 2: "init_core"}

#: Libraries of glibc itself, which every process has; libpthread and libdl are part of libc from 2.34 on.
GLIBC_LIBRARIES = {"libc.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
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


def examine(path: Path, major: int, glibc: str, bundled: bool) -> Iterator[Finding]:
    """Every property of one binary, in a fixed order. Raises BuildError when it cannot be read."""
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
        paths = foreign_paths(path)
        yield Finding(not paths, "directories of the building machine inside", _list(paths))
    if major == 3:
        yield _stable_abi(path)


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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.audit", description="Examine built binaries.")
    parser.add_argument("trees", nargs="+", type=Path)
    parser.add_argument("--glibc", default="2.17", help="the highest glibc symbol version allowed")
    chosen = parser.parse_args(arguments)
    bad = 0
    for tree in chosen.trees:
        for major, name in BINARY.items():
            path = tree / f"py{major}" / PACKAGE / name
            if not path.exists():
                raise BuildError(f"{path}: not there; run make build or make portable first")
            print(f"{path}: {path.stat().st_size} bytes, glibc {glibc_floor(path)}")
            for finding in examine(path, major, chosen.glibc, bundled="system" not in tree.parts):
                print(finding)
                bad += not finding.holds
    print(f"{bad} properties do not hold" if bad else "all properties hold")
    return 1 if bad else 0


if __name__ == "__main__":
    run_main(main)
