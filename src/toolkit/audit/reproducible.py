# SPDX-License-Identifier: Apache-2.0
"""The gate of reproducibility: a build in another folder, at another time, in another locale is the same to the byte.

The C half is compiled again from a copy of the sources elsewhere. OpenSSL comes from the cache, since it takes minutes;
AUDIT="--full" gives the other place an empty cache, so that OpenSSL is built there too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError
from toolkit import tools
from toolkit.audit.model import Build, Gate, Verdict, builds

#: What a build takes from a source tree.
SOURCES = ("VERSION", "src")
#: Another user's surroundings. The names are of locales that every C library has, the zone is the farthest from UTC.
ELSEWHERE = {"LC_ALL": "C", "LANG": "C", "TZ": "Pacific/Kiritimati", "SOURCE_DATE_EPOCH": "1", "USER": "somebody", "JOBS": "3"}

#: Set by --full.
full = False

_built: dict[tuple[str, tuple[str, str]], tuple[Path, tempfile.TemporaryDirectory[str]]] = {}


def elsewhere(kind: str, change: tuple[str, str] = ("", "")) -> Path:
    """A tree of one kind ("portable/x86_64"; "" is make build) made from a copy of the sources; kept for this process."""
    if (kind, change) in _built:
        return _built[kind, change][0]
    holder = tempfile.TemporaryDirectory(prefix="another place with a longer name-")
    place = Path(holder.name, "project")
    place.mkdir()
    for name in SOURCES:
        if Path(name).is_dir():
            shutil.copytree(name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(name, place)
    if change[0]:
        source = place / "src" / "core" / "module.c"
        source.write_text(source.read_text().replace(*change))
    environment = tools.pip_environment() | ELSEWHERE | {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["CACHE"] = str(place / "cache") if full else cache.root()
    if full:
        # The pinned sources and the tools are input, not product.
        Path(environment["CACHE"]).mkdir()
        for name in ("sources", "tools", "python2-headers"):
            if Path(cache.root(), name).exists():
                os.symlink(Path(cache.root(), name), place / "cache" / name)
    module = ["toolkit.portable", "--arch", kind.split("/")[1]] if kind else ["core.build"]
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise BuildError(f"building {kind or 'py2 and py3'} elsewhere failed: {done.stdout[-500:]}")
    _built[kind, change] = (place / "build" / kind, holder)
    return _built[kind, change][0]


def compare(build: Build, change: tuple[str, str] = ("", "")) -> list[str]:
    """Differences between a build's binary and the one made elsewhere."""
    kind = build.label.rpartition("/")[0]
    other = elsewhere(kind, change) / f"py{build.major}" / build.binary.parent.name / build.binary.name
    here, there = build.binary.read_bytes(), other.read_bytes()
    if here == there:
        return []
    at = next((index for index, pair in enumerate(zip(here, there)) if pair[0] != pair[1]), min(len(here), len(there)))
    return [f"{build.binary.name}: {len(here)} and {len(there)} bytes, the first difference at {at}"]


def examine(build: Build) -> Verdict | None:
    """The gate on one build; the system flavour is a distribution's to reproduce."""
    if build.flavour == "system":
        return None
    how = "with an OpenSSL built there" if full else "with OpenSSL from the cache"
    return Verdict("reproducible", build.label, compare(build), [f"built again elsewhere {how}"])


def control() -> Verdict:
    """A source that tells the time at which it is compiled."""
    stamp = ('"The C half', '__TIME__ " " __FILE__ " The C half')
    build = next(item for item in builds() if item.native and item.label == "py3")
    return Verdict("reproducible", "control", compare(build, stamp))


GATE = Gate(
    "reproducible",
    "the same binary from another folder, time and locale",
    examine,
    control,
    ("the first difference at",),
)
