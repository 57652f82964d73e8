# SPDX-License-Identifier: Apache-2.0
"""`make bench` measures what it says: what is compiled here, or the packages' binaries beside C by their compiler."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from core.build import BINARY, PACKAGE
from toolkit import interpreters
from toolkit.bench import setup
from toolkit.bench.goals import REFERENCE
from toolkit.bench.workers import Contender, Crew, Equipment

NAMES = [item.name for item in interpreters.find() if not item.free_threaded]
#: 2.7's headers ask for more of the C library's than the others.
ENDS = tuple(sorted({"2.7", NAMES[-1]} & set(NAMES)))
#: Of glibc 2.x, the oldest that has all which a file made by zig for glibc 2.17 asks for.
OLD = 17


def glibc(path: Path) -> int:
    """The x of the newest glibc 2.x that a file asks for."""
    said = subprocess.run(["readelf", "--version-info", str(path)], capture_output=True, text=True, check=True).stdout
    return max(int(number) for number in re.findall(r"GLIBC_2\.(\d+)", said))


@pytest.mark.parametrize("flavour", setup.FLAVOURS)
def test_c_and_bare_modules_are_made_by_the_compiler_of_the_module(flavour: str) -> None:
    equipment = Equipment.prepare(ENDS, flavour)
    for language in ENDS:
        major = int(language[0])
        built = Path("build", interpreters.FLAVOURS[flavour][0], f"py{major}", PACKAGE, BINARY[major])
        assert (equipment.trees[language] / PACKAGE / BINARY[major]).read_bytes() == built.read_bytes()
    made = [equipment.reference, *(path / "bare.so" for path in equipment.bare.values())]
    if flavour == "portable":
        assert max(map(glibc, made)) <= OLD
    elif os.confstr("CS_GNU_LIBC_VERSION") >= "glibc 2.34":  # which every program names that was linked with it
        assert glibc(equipment.reference) > OLD
    crew = Crew(equipment)
    try:
        told = {crew.ask(who, "hello")["openssl"] for who in (REFERENCE, *(Contender("module", language) for language in ENDS))}
    finally:
        crew.close()
    assert len(told) == 1
