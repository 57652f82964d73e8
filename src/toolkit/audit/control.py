# SPDX-License-Identifier: Apache-2.0
"""Builds the careless twin of `_core` that the gates must refuse: the same objects, linked without hiding.

OpenSSL's objects are compiled hidden, and no linker option takes that back. So its names are prefixed and each gets a
visible stub of its old name that jumps there: the twin exports OpenSSL's whole interface, and binds to whoever
defines it first, as a build without visibility, version script and -Bsymbolic does.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from core.build import BINARY, PACKAGE
from openssl import cache
from openssl.errors import BuildError
from toolkit.audit.model import NATIVE, RESULTS, Build

OBJECTS = Path("build", "obj", "bundled")
#: The jump of each machine to a name of the same file.
JUMP = {"x86_64": "jmp", "aarch64": "b"}
PREFIX = "hidden_"


def unhidden(major: int) -> Build:
    """A tree like build/pyN whose `_core` hides nothing. Made anew when the objects of the build are newer."""
    tree = RESULTS / "unhidden" / f"py{major}"
    target = tree / PACKAGE / BINARY[major]
    objects = sorted((OBJECTS / f"py{major}").glob("*.o"))
    if not objects:
        raise BuildError(f"{OBJECTS}/py{major}: no objects there; run make build first")
    with cache.locked(str(_made(RESULTS) / ".unhidden"), str(tree)):
        library = _visible_openssl()
        if not target.exists() or target.stat().st_mtime < max(path.stat().st_mtime for path in (library, *objects)):
            shutil.rmtree(tree, ignore_errors=True)
            shutil.copytree(Path("build", f"py{major}", PACKAGE), target.parent, ignore=shutil.ignore_patterns("*.so"))
            link = ["gcc", "-shared", *objects, library, "-pthread", "-ldl", "-Wl,-z,nodelete", "-o", target]
            _run(link, "linking the control of the audit")
    return Build(f"unhidden/py{major}", tree.resolve(), major)


def _visible_openssl() -> Path:
    """OpenSSL as one relocatable object with a visible stub for each of its functions."""
    archives = [(OBJECTS / "openssl" / "lib" / name).resolve() for name in ("libssl.a", "libcrypto.a")]
    work = _made(RESULTS / "unhidden")
    target = work / "openssl.o"
    if target.exists() and target.stat().st_mtime > max(path.stat().st_mtime for path in archives):
        return target
    whole, renamed, names, stubs = (work / name for name in ("whole.o", "renamed.o", "names", "stubs.s"))
    _run(["ld", "-r", "-o", whole, "--whole-archive", *archives], "joining OpenSSL's objects")
    listing = _run(["nm", "--defined-only", "--extern-only", whole], "listing OpenSSL's names").split("\n")
    symbols = [line.split()[1:] for line in listing if len(line.split()) == 3]
    names.write_text("".join(f"{name} {PREFIX}{name}\n" for _, name in symbols), encoding="ascii")
    _run(["objcopy", f"--redefine-syms={names}", whole, renamed], "renaming OpenSSL's functions")
    functions = [name for kind, name in symbols if kind in "TW"]
    text = "".join(
        f".globl {name}\n.type {name}, %function\n{name}: {JUMP[NATIVE]} {PREFIX}{name}\n.size {name}, . - {name}\n"
        for name in functions
    )
    stubs.write_text('.section .note.GNU-stack,"",%progbits\n.text\n' + text, encoding="ascii")
    _run(["gcc", "-c", stubs, "-o", work / "stubs.o"], "assembling the stubs")
    _run(["ld", "-r", "-o", work / "new.o", renamed, work / "stubs.o"], "joining the stubs")
    for path in (whole, renamed):
        path.unlink()
    (work / "new.o").rename(target)
    return target


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _run(command: list[str | Path], what: str) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{what} failed: {done.stderr[-800:]}")
    return done.stdout
