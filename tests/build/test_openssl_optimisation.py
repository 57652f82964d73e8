# SPDX-License-Identifier: Apache-2.0
"""How OpenSSL is compiled where a distribution's flags say something else, and that it arrives in the library."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from openssl import build
from openssl.toolchain import FASTER_ON_X86_64, Toolchain
from toolkit import portable


def compiled_with(cflags: str) -> list[str]:
    return build.compiler_flags(Toolchain({"CFLAGS": cflags}))


@pytest.mark.parametrize(
    ("cflags", "level"),
    [
        ("-g -O2 -pipe", "-O3"),
        ("-O1 -O2", "-O3"),
        ("-O2 -O0", "-O0"),
        ("-Os", "-Os"),
        ("-O3", "-O3"),
    ],
)
def test_only_what_says_o2_is_raised(cflags: str, level: str) -> None:
    assert [flag for flag in compiled_with(cflags) if flag.startswith("-O")][-1] == level


def test_flags_without_a_level_stay_as_they_are() -> None:
    assert not [flag for flag in compiled_with("-g") if flag.startswith("-O")]


def test_another_compiler_flag_makes_another_library() -> None:
    keys = {build.key(Toolchain({"CC": cc, "CC_IDENTITY": "gcc"}), "x86_64") for cc in ("gcc", "gcc -fomit-frame-pointer")}
    assert len(keys) == 2


@pytest.mark.parametrize("wanted", ["-flto", "-flto=auto -ffat-lto-objects", "-flto=thin", "-flto -flto-partition=none"])
def test_the_linker_does_not_optimise_openssl(wanted: str) -> None:
    flags = compiled_with(f"-O2 {wanted} -fstack-protector-strong")
    assert not [flag for flag in flags if "lto" in flag]
    assert "-fstack-protector-strong" in flags


def usual_library() -> Path:
    """The directory of OpenSSL's archives at the level that it is compiled with by default."""
    toolchain = Toolchain()
    if build.compiler_flags(toolchain)[-1] != "-O3":
        # Whoever builds with CFLAGS of their own gets what they say, see compiler_flags(); -Os, for one, aligns nothing.
        pytest.skip("CFLAGS say another level than -O2")
    return Path(build.library(toolchain, os.uname().machine), "lib")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="looks for the vector registers of x86-64")
def test_the_table_of_x25519_is_searched_with_vectors() -> None:
    """Ten words are moved or not, 1152 times for each key: with -O2 gcc makes that one word at a time."""
    archive = usual_library() / "libcrypto.a"
    command = ["objdump", "--disassemble", "--section=.text.cmov", str(archive)]
    code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "<cmov>:" in code
    assert "%xmm" in code


def alignments(archive: Path) -> dict[str, int]:
    """Function -> the alignment of its section, in bytes, in an archive of object files."""
    listed = subprocess.run(["objdump", "--section-headers", str(archive)], capture_output=True, text=True, check=True).stdout
    return {name: 2 ** int(power) for name, power in re.findall(r" \.text\.(\w+) .* 2\*\*(\d+)$", listed, re.MULTILINE)}


def test_functions_lie_where_the_processor_fetches_from() -> None:
    """At 16 bytes it depends on the length of what lies before a function how fast it is."""
    archive = usual_library() / "libssl.a"
    assert alignments(archive)["SSL_read_ex"] >= 32


@pytest.mark.parametrize("refused", [*FASTER_ON_X86_64, "nothing"])
def test_a_flag_is_left_out_for_a_compiler_that_does_not_know_it(tmp_path: Path, refused: str) -> None:
    """clang has no -falign-jumps, and gcc before 6 no -fno-plt."""
    compiler = tmp_path / "cc"
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *{refused}*) exit 1;; esac\nexec gcc "$@"\n')
    compiler.chmod(0o755)
    flags = build.compiler_flags(Toolchain({"CC": str(compiler), "CC_IDENTITY": "gcc for x86_64"}))
    assert [flag for flag in flags if flag in FASTER_ON_X86_64] == [flag for flag in FASTER_ON_X86_64 if flag != refused]


def test_flags_that_were_measured_on_one_machine_are_for_that_one() -> None:
    flags = build.compiler_flags(Toolchain({"CC_IDENTITY": "gcc for aarch64"}))
    assert not set(flags) & set(FASTER_ON_X86_64)
    assert "-falign-functions=32" in flags


def assembled(library: str) -> set[str]:
    """The functions written in assembler: those that no compiler gave a section of their own."""
    command = ["nm", "--format=sysv", str(Path(library, "lib", "libcrypto.a"))]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [[column.strip() for column in line.split("|")] for line in lines]
    return {row[0] for row in rows if len(row) == 7 and row[3] == "FUNC" and row[6] == ".text"}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only the scripts for x86-64 ask which assembler there is")
def test_the_packages_have_code_for_every_processor_that_gcc_s_library_has_code_for() -> None:
    """OpenSSL leaves out what it does not expect an assembler to know; the packages' binaries are made by clang's."""
    by_gcc = assembled(build.library(Toolchain(), "x86_64"))
    by_clang = assembled(build.library(Toolchain(portable.compiler("x86_64")), "x86_64"))
    assert {"ChaCha20_avx512", "poly1305_blocks_vpmadd52_8x"} <= by_gcc
    assert by_gcc - by_clang == set()
