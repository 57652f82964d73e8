# SPDX-License-Identifier: Apache-2.0
"""ChaCha20-Poly1305, which src/openssl/patches change, gives what RFC 8439 says, on processors of several ages."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from openssl import build
from openssl.toolchain import Toolchain
from toolkit import portable, tools

MACHINE = os.uname().machine
#: The compilers of the module: each has an OpenSSL of its own.
COMPILERS = {"our own compiler": dict, "the packages' compiler": lambda: portable.compiler(MACHINE)}
#: What OpenSSL is told to do without (OPENSSL_ia32cap(3)): each has other functions of ChaCha20 and Poly1305.
WITHOUT = {"nothing": None}
if MACHINE == "x86_64":
    WITHOUT |= {"AVX-512": "~0:~0xc0230000", "AVX2": "~0:~0xffffffff", "SSSE3": "~0x20000000000:~0xffffffff"}


@pytest.fixture(scope="module", params=COMPILERS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = {**os.environ, **COMPILERS[request.param]()}
    toolchain = Toolchain(environment)
    library = Path(build.library(toolchain, MACHINE))
    made = tmp_path_factory.mktemp("program") / "chacha20_poly1305"
    source = str(Path(__file__).with_name("chacha20_poly1305.c"))
    command = [*toolchain.cc, "-O1", "-Wall", "-Wextra", "-Werror", "-isystem", str(library / "include"), source, "-o", str(made)]
    tools.run_quietly([*command, str(library / "lib" / "libcrypto.a"), "-pthread", "-ldl"], "compiling", environment)
    return made


@pytest.mark.parametrize("missing", WITHOUT)
def test_texts_in_pieces_are_encrypted_as_the_rfc_says(program: Path, missing: str) -> None:
    capabilities = {"OPENSSL_ia32cap": WITHOUT[missing]} if WITHOUT[missing] else {}
    done = subprocess.run([program], env={**os.environ, **capabilities}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 20000
