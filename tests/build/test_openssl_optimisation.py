# SPDX-License-Identifier: Apache-2.0
"""What of OpenSSL is compiled with more than the distribution's -O2, and that it arrives in the library."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from openssl import build
from openssl.toolchain import Toolchain


@pytest.mark.parametrize(
    ("flags", "added"),
    [
        (["-g", "-O2", "-fPIC"], ["-O3"]),
        (["-O1", "-O2"], ["-O3"]),
        (["-O2", "-O0"], []),
        (["-Os"], []),
        (["-O3"], []),
        (["-fPIC"], []),
    ],
)
def test_only_what_says_o2_is_raised(flags: list[str], added: list[str]) -> None:
    assert build.hot_flags(flags) == flags + added


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="looks for the vector registers of x86-64")
def test_the_table_of_x25519_is_searched_with_vectors() -> None:
    """Ten words are moved or not, 1152 times for each key: with -O2 gcc makes that one word at a time."""
    toolchain = Toolchain()
    if build.hot_flags(toolchain.cflags) == toolchain.cflags:
        # Whoever builds with CFLAGS of their own gets what they say: see hot_flags().
        pytest.skip("CFLAGS say another level than -O2")
    archive = Path(build.library(toolchain, "x86_64"), "lib", "libcrypto.a")
    command = ["objdump", "--disassemble", "--section=.text.cmov", str(archive)]
    code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "<cmov>:" in code
    assert "%xmm" in code
