# SPDX-License-Identifier: Apache-2.0
"""Byte code of the same source is the same in every process: packages are reproducible, and reinstalling changes nothing."""

import subprocess
from pathlib import Path

import pytest
from toolkit import interpreters
from toolkit.audit.floor import TARGET_SIDE
from toolkit.releases import TOP

PROGRAM = """
import hashlib, marshal, sys
for path in sys.argv[1:]:
    with open(path, "rb") as stream:
        code = compile(stream.read(), path, "exec")
    print("%s %s" % (path, hashlib.sha256(marshal.dumps(code)).hexdigest()))
"""
PLACES = ("src/_tls_bootstrap", *TARGET_SIDE)
FOUND = interpreters.find()


def told(interpreter, files, seed):
    command = [interpreter.path, "-R", "-c", PROGRAM, *files]
    return subprocess.run(command, env={"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")


@pytest.mark.parametrize("interpreter", FOUND, ids=[found.language for found in FOUND])
def test_byte_code_does_not_depend_on_the_hashes_of_the_day(interpreter):
    files = sorted(str(path) for place in PLACES for path in Path(TOP, place).rglob("*.py"))
    assert len(files) > 20
    first = told(interpreter, files, "1")
    for seed in ("2", "3", "4", "5"):
        assert told(interpreter, files, seed) == first
