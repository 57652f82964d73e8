# SPDX-License-Identifier: Apache-2.0
"""The binaries have every property that lets them disturb nobody, and the portable ones load everywhere."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from core.build import BINARY, PACKAGE
from toolkit.audit import binary as audit

#: Where each build lies -> the newest glibc whose symbols it may ask for, None for any: our own compiler's is for this machine.
TREES = {Path("build", "portable", os.uname().machine): audit.PORTABLE_GLIBC, Path("build"): None}


@pytest.mark.parametrize("tree", TREES, ids=str)
@pytest.mark.parametrize("major", [3, 2])
def test_a_binary_holds_every_property(tree: Path, major: int) -> None:
    findings = list(audit.examine(tree / f"py{major}" / PACKAGE / BINARY[major], major, TREES[tree], bundled=True))
    assert len(findings) > 15
    assert [str(finding) for finding in findings if not finding.holds] == []


@pytest.fixture
def careless(tmp_path):
    """A shared object built without any of the care that ours gets."""
    source = tmp_path / "careless.c"
    source.write_text(
        "#include <stdio.h>\n#include <stdlib.h>\nextern int _PyPrivate(void);\nextern int PyUnicodeUCS4_Decode(void);\n"
        "extern int SSL_new(void);\nint PyInit__core(void) { return _PyPrivate() + PyUnicodeUCS4_Decode() + SSL_new(); }\n"
        'int another(void) { return puts("text"); }\n'
    )
    target = tmp_path / "_core.abi3.so"
    command = ["gcc", "-w", "-fno-stack-protector", "-shared", "-fPIC", "-Wl,-z,lazy", "-Wl,-z,norelro"]
    command += ["-Wl,-z,execstack", "-Wl,-rpath,/tmp", str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    return target


def test_the_audit_sees_what_is_wrong(careless):
    failed = {finding.property for finding in audit.examine(careless, 3, "2.17", bundled=True) if not finding.holds}
    assert failed >= {
        "exports", "undefined symbols are Python's or versioned", "private Python names", "OpenSSL names left open",
        "names that depend on the width of unicode", "no library path of its own", "bound at load time",
        "relocations read-only", "stack not executable", "stack protector", "never unloaded", "binds to itself first",
        "stable ABI of 3.4 only",
    }  # fmt: skip


def test_the_audit_sees_a_newer_glibc(careless):
    found = {finding.property: finding.holds for finding in audit.examine(careless, 3, "2.0", bundled=True)}
    assert found["glibc at most 2.0"] is False


def test_the_audit_sees_a_large_binary(careless, monkeypatch):
    monkeypatch.setattr(audit, "SIZE_LIMIT", 1000)
    found = {finding.property: finding.holds for finding in audit.examine(careless, 3, "2.17", bundled=True)}
    assert found["at most 1000 bytes"] is False


def test_the_audit_names_a_file_that_is_no_binary(tmp_path):
    (tmp_path / "text").write_text("not ELF")
    with pytest.raises(audit.BuildError, match="text: cannot be examined"):
        list(audit.examine(tmp_path / "text", 3, "2.17", bundled=True))
