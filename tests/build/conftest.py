# SPDX-License-Identifier: Apache-2.0
"""Fixtures for tests of the build itself; they run under the build side's pytest with src/ on PYTHONPATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

TINY_CORE = r"""
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <openssl/crypto.h>
#include "answer.h"
static PyObject *answer(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyLong_FromLong(OpenSSL_version_num() ? ANSWER : 0);
}
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
#ifdef TB_PYTHON2
__attribute__((visibility("default"))) PyMODINIT_FUNC init_core(void) { Py_InitModule("_core", methods); }
#else
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_core", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__core(void) { return PyModule_Create(&definition); }
#endif
"""


class Project:
    """A source tree with the real build and a core of two small files, so that a build takes a second."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("Makefile", "VERSION"):
            shutil.copy(TOP / name, directory)
        for name in ("core", "openssl", "toolkit", "_tls_bootstrap"):
            ignored = shutil.ignore_patterns("*.c", "*.h", "__pycache__")
            shutil.copytree(TOP / "src" / name, directory / "src" / name, ignore=ignored)
        self.core = directory / "src" / "core"
        (self.core / "module.c").write_text(TINY_CORE)
        (self.core / "other.c").write_text("int other(void);\nint other(void) { return 1; }\n")
        (self.core / "answer.h").write_text("#define ANSWER 42\n")

    def make(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run make with these words; both outputs together in `stdout`."""
        dropped = {"PYTHONPATH", "CFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "PREBUILT", "OPENSSL_TARBALL"}
        environment = {name: value for name, value in os.environ.items() if name not in dropped}
        return subprocess.run(
            ["make", "--no-print-directory", f"PYTHON={sys.executable}", *words],
            cwd=self.directory,
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def build(self, *words: str, **variables: str) -> list[str]:
        """`make build` of the system flavour; the names of the sources that were compiled."""
        done = self.make("build", "FLAVOUR=system", "PYTHON2=", *words, **variables)
        assert done.returncode == 0, done.stdout
        lines = [line.split() for line in done.stdout.splitlines() if " -c " in line]
        return [Path(words[words.index("-c") + 1]).name for words in lines]

    @property
    def binary(self) -> Path:
        return self.directory / "build" / "system" / "py3" / "_tls_bootstrap" / "_core.abi3.so"

    def answer(self) -> int:
        """What the built module returns, asked in a process of its own."""
        command = [sys.executable, "-c", "import _core; print(_core.answer())"]
        environment = os.environ | {"PYTHONPATH": str(self.binary.parent)}
        return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    directory = tmp_path / "project"
    directory.mkdir()
    return Project(directory)


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
