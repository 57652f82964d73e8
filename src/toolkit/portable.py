# SPDX-License-Identifier: Apache-2.0
"""`make portable`: the binaries that load on every release of the matrix, made by a compiler for an old glibc.

    python -m toolkit.portable [--arch x86_64|aarch64] [--output DIR]

Without --arch both are made, one after the other.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from openssl import cache
from openssl.errors import BuildError, run_main
from toolkit import tools

#: The oldest glibc of the release matrix (EL7).
GLIBC = "2.17"
ARCHITECTURES = ("x86_64", "aarch64")


def compiler(arch: str) -> dict[str, str]:
    """Environment variables that make the build use zig's C compiler for `arch` and glibc 2.17."""
    zig = _zig()
    target = f"{arch}-linux-gnu.{GLIBC}"
    scratch = Path(cache.root()) / "zig"
    return {
        # zig turns undefined behaviour into traps, and keeps frame pointers, unless told not to; a distribution's gcc
        # does neither. Without them 1 KiB takes 1 to 2 % less time, and a handshake 1 %.
        "CC": f"{zig} cc -target {target} -fno-sanitize=undefined -fomit-frame-pointer",
        "AR": f"{zig} ar",
        "RANLIB": f"{zig} ranlib",
        # The version of the toolchain, without the directory it happens to lie in.
        "CC_IDENTITY": f"zig {_zig_version()} for {target}",
        "ZIG_GLOBAL_CACHE_DIR": str(scratch),
        "ZIG_LOCAL_CACHE_DIR": str(scratch),
    }


def _zig() -> str:
    try:
        return tools.zig()
    except ValueError:
        raise BuildError(
            f"the cross compiler zig is not in {tools.environment()}: remove that directory and run make deps"
        ) from None


def _zig_version() -> str:
    site_packages = Path(_zig()).parent.parent
    (found,) = (item.version for item in distributions(path=[str(site_packages)]) if item.name == "ziglang")
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="toolkit.portable", description="Build for glibc 2.17.")
    parser.add_argument("--arch", help="default: all of them")
    parser.add_argument("--output", type=Path, help="where the trees of one --arch go, default: build/portable/ARCH")
    chosen = parser.parse_args(arguments)
    if chosen.arch and chosen.arch not in ARCHITECTURES:
        raise BuildError(f"ARCH={chosen.arch}: portable binaries are made for {' and '.join(ARCHITECTURES)}")
    if chosen.output and not chosen.arch:
        raise BuildError("--output needs --arch: one directory holds the trees of one architecture")
    status = 0
    for arch in [chosen.arch] if chosen.arch else ARCHITECTURES:
        status = status or _build(arch, chosen.output or Path("build", "portable", arch))
    return status


def _build(arch: str, output: Path) -> int:
    command = [sys.executable, "-m", "core.build", "--output", str(output), "--arch", arch, "--own-libc"]
    # A distribution's flags are meant for its own compiler.
    kept = {name: value for name, value in os.environ.items() if name not in ("CFLAGS", "CPPFLAGS", "LDFLAGS", "PREBUILT")}
    return subprocess.run(command, env=kept | compiler(arch), check=False).returncode


if __name__ == "__main__":
    run_main(main)
