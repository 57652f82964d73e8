# SPDX-License-Identifier: Apache-2.0
"""Kinds of CPython that no release packages, built from Debian's source packages and kept in the cache.

They run in the tree they were built in, as CPython can, and find their parts from there: the tree may be moved.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from openssl import cache, debian_archive
from openssl.errors import BuildError
from openssl.source import sum_of
from openssl.toolchain import Toolchain
from toolkit.commands import CLEAN_ENVIRONMENT, CommandError, run

#: Not needed to run tests.
LEFT_OUT = ("Doc", "Demo", "Mac", "PC", "PCbuild", "RISCOS", "Lib/test", "build/temp.*")
BUILD_LIMIT = 3600


@dataclass(frozen=True)
class Source:
    """The source of a CPython in the Debian archive; the archive keeps it as long as a release refers to it."""

    path: str
    sha256: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


#: bullseye's and trixie's.
PYTHON2 = Source(
    "pool/main/p/python2.7/python2.7_2.7.18.orig.tar.gz", "da3080e3b488f648a3d7a4560ddee895284c3380b11d6de75edb986526b9a814"
)
PYTHON3 = Source(
    "pool/main/p/python3.13/python3.13_3.13.5.orig.tar.xz", "93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640"
)


@dataclass(frozen=True)
class Kind:
    """A CPython to build: how it is configured and what of it is made."""

    name: str
    source: Source
    options: tuple[str, ...]
    targets: tuple[str, ...] = ("all",)


#: Python's own choice would be -O3 with debug information.
UNCHECKED = "OPT=-DNDEBUG"

UCS2 = Kind("2.7-ucs2", PYTHON2, ("--enable-unicode=ucs2", UNCHECKED))
#: Keeps a list of all objects through the objects themselves, so that their layout is another.
DEBUG = Kind("2.7-debug", PYTHON2, ("--enable-unicode=ucs4", "--with-pydebug"))
#: The interpreter without extension modules: all that it is for is to be told that it is not served.
FREE_THREADED = Kind("3.13t", PYTHON3, ("--disable-gil", "--without-ensurepip", UNCHECKED), ("python",))


def interpreter(kind: Kind) -> str:
    """The path of an interpreter of that kind, built now (one to three minutes) if the cache lacks it. Raises BuildError."""
    flags = "-O1 -w -fwrapv -fno-strict-aliasing"
    key = cache.key_of(kind.source.sha256, flags, *kind.options, *kind.targets, Toolchain({}).identity)

    def make(directory: str) -> None:
        print(f"python {kind.name}: building it from {kind.source.name}", flush=True)
        log = Path("build", "log", f"python-{kind.name}.log").resolve()
        try:
            run(["tar", "-xf", _tarball(kind.source), "--strip-components=1"], directory=Path(directory), log=log)
            run(["./configure", *kind.options, f"CFLAGS={flags}"], directory=Path(directory), log=log)
            words = ["make", f"-j{os.cpu_count()}", *kind.targets]
            run(words, directory=Path(directory), log=log, timeout=BUILD_LIMIT, environment=CLEAN_ENVIRONMENT)
        except CommandError as error:
            raise BuildError(f"building Python {kind.name} failed: {error}") from error
        for pattern in LEFT_OUT:
            for path in Path(directory).glob(pattern):
                shutil.rmtree(path)

    return str(Path(cache.entry("source-pythons", f"{kind.name}-{key}", make), "python"))


def _tarball(source: Source) -> str:
    """The path of the verified source, downloaded into the cache if that lacks it."""

    def make(directory: str) -> None:
        mirror = debian_archive.mirror()
        if mirror is None:
            raise BuildError(f"{source.name}: this machine's apt names no Debian archive to take it from")
        path = debian_archive.download_file(f"{mirror}/{source.path}", directory)
        if (found := sum_of(path)) != source.sha256:
            raise BuildError(f"{path} has the wrong SHA-256: {found}, expected {source.sha256}; tell that mirror's administrator")

    return str(Path(cache.entry("python-sources", source.sha256[:20], make), source.name))
