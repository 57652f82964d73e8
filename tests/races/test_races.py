# SPDX-License-Identifier: Apache-2.0
"""Data races in the C half, which gcc's thread sanitizer sees, and the interpreter's GIL with it.

The C half is compiled for it, against the system's OpenSSL, which is not: what the two do with OpenSSL's own memory stays unseen.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from openssl.toolchain import Toolchain

STRESS = Path(__file__).with_name("stress.py")
OUTPUT = Path("build", "races")
WARNING = "WARNING: ThreadSanitizer"
LIMIT = 300.0  #: seconds; a run takes five

#: (file of the C half, what is left out of it): without any of these some of the stress is not kept apart.
GUARDS = {
    "memory": (
        "connection_io.c",
        "        tb_membio_expose(self->incoming_queue, change);\n        tb_membio_expose(self->outgoing_queue, change);\n",
    ),
    "buffers": (
        "kept_buffers.c",
        "    if (exposed && pthread_mutex_trylock(&self->lock.mutex) != 0)\n        return;\n",
    ),
    "connection": ("connection_io.c", "    tb_gil_lock_expose(&self->lock, change);\n"),
}


def runtime() -> str:
    """The sanitizer's library, which has to be loaded before the interpreter's others."""
    done = subprocess.run([*Toolchain().cc, "-print-file-name=libtsan.so"], capture_output=True, text=True, check=True)
    path = done.stdout.strip()
    if not os.path.isabs(path):
        # Not every compiler comes with one: the name is printed back where there is no such file.
        pytest.skip(f"{Toolchain().cc[0]} has no thread sanitizer (libtsan)")
    return path


def compiled(name: str = "", left_out: str = "") -> Path:
    """The importable tree of a C half that reports its races, with `left_out` of its file `name` left out.

    All variants have one directory, in which only what differs from the one before is compiled again.
    """
    sources = OUTPUT / "core"
    sources.mkdir(parents=True, exist_ok=True)
    for path in sorted(Path("src/core").glob("*.[chm]*")):
        text = path.read_text(encoding="utf-8")
        if path.name == name:
            assert left_out in text
            text = text.replace(left_out, "")
        copy = sources / path.name
        if not copy.exists() or copy.read_text(encoding="utf-8") != text:
            copy.write_text(text, encoding="utf-8")
    flags = "-g -O1 -fsanitize=thread"
    environment = dict(os.environ, CFLAGS=flags, CORE_DIR=str(sources), PYTHON3=sys.executable, PYTHON2="", PYTHONPATH="src")
    command = [sys.executable, "-m", "core.build", "--flavour", "system", "--output", str(OUTPUT / "tree")]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    return (OUTPUT / "tree" / "py3").resolve()


def stress(tree: Path, directory: Path, *arguments: str) -> str:
    """What stress.py and the sanitizer print; the process may fail."""
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_PRELOAD": runtime(),
        "TSAN_OPTIONS": "halt_on_error=1",
    }
    done = subprocess.run(
        [sys.executable, "-s", STRESS, str(directory), *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT,
    )  # fmt: skip
    if "unexpected memory mapping" in done.stdout:
        # Where the kernel spreads addresses wider than this compiler's sanitizer knows, it ends before anything runs.
        pytest.skip("the thread sanitizer cannot run here: " + done.stdout.strip().splitlines()[-1])
    return done.stdout


@pytest.mark.parametrize("arguments", [(), ("callbacks",)], ids=["plain", "callbacks"])
def test_threads_that_share_everything(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    output = stress(compiled(), tmp_path, *arguments)
    assert WARNING not in output, output[:4000]
    assert output == "20392000 bytes sent, 20392000 received\n", output[:4000]


@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_without_a_guard_the_sanitizer_speaks(guard: str, tmp_path: Path) -> None:
    output = stress(compiled(*GUARDS[guard]), tmp_path)
    assert WARNING in output, output[:4000]
