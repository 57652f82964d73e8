# SPDX-License-Identifier: Apache-2.0
"""Headers of one OpenSSL and the library of another, and a cross compiler that is missing: one clear line each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core import openssl_match
from openssl.errors import BuildError
from toolkit import builds, portable, tools

HEADER = '#define OPENSSL_VERSION_TEXT "OpenSSL {} 1 Jan 2020"\n'


def headers_of(directory: Path, version: str) -> str:
    """A directory for CPPFLAGS with nothing but the version of some OpenSSL."""
    place = directory / "include" / "openssl"
    place.mkdir(parents=True)
    (place / "opensslv.h").write_text(HEADER.format(version))
    return f"-I{place.parent}"


def test_other_headers_than_the_library_are_refused_by_name(project, tmp_path):
    done = project.make("build", "FLAVOUR=system", CPPFLAGS=headers_of(tmp_path, "1.1.1w"))
    assert done.returncode != 0
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    assert "the headers found are those of OpenSSL 1.1.1w" in line
    assert "libcrypto" in line and "CPPFLAGS" in line
    assert not list((project.directory / "build").rglob("*.so"))


def test_the_bundled_library_needs_its_own_headers(tmp_path):
    with pytest.raises(BuildError, match=r"OpenSSL 3\.0\.1, and the bundled library is 3\.5\.7"):
        openssl_match.check(["gcc"], [headers_of(tmp_path, "3.0.1")], [], "3.5.7")


def test_equal_versions_pass(tmp_path):
    assert openssl_match.check(["gcc"], [headers_of(tmp_path, "3.5.7")], [], "3.5.7") is None
    assert openssl_match.check(["gcc"], [], ["-lssl", "-lcrypto"]) is None


def test_headers_that_are_not_there_are_told(tmp_path):
    with pytest.raises(BuildError, match="no usable headers of OpenSSL"):
        openssl_match.check(["gcc"], ["-nostdinc"], [], "3.5.7")


def test_the_linkers_own_choice_is_found(tmp_path):
    version, path = openssl_match.library_version(["gcc"], ["-lssl", "-lcrypto"], str(tmp_path))
    assert version and Path(path).exists() and "libcrypto" in path


def test_a_missing_cross_compiler_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(tools, "environment", lambda: tmp_path)
    with pytest.raises(BuildError, match=f"^the cross compiler zig is not in {tmp_path}: .* make deps$"):
        portable.compiler("aarch64")


@pytest.mark.parametrize(
    "arguments, made",
    [([], ["x86_64", "aarch64"]), (["--arch", "aarch64"], ["aarch64"]), (builds.COMMANDS["portable"][3:], [os.uname().machine])],
)
def test_portable_binaries_are_made_for_both_architectures_unless_one_is_named(monkeypatch, arguments, made):
    found = []
    monkeypatch.setattr(portable, "_build", lambda arch, output: found.append((arch, str(output))) or 0)
    assert portable.main(arguments) == 0
    assert found == [(arch, f"build/portable/{arch}") for arch in made]


def test_a_failure_for_one_architecture_ends_the_build(monkeypatch):
    monkeypatch.setattr(portable, "_build", lambda arch, output: 1 if arch == "x86_64" else pytest.fail("went on"))
    assert portable.main([]) == 1


def test_one_directory_for_both_architectures_is_refused():
    with pytest.raises(BuildError, match="--output needs --arch"):
        portable.main(["--output", "somewhere"])


def test_a_machine_without_a_cross_compiler_is_named(project):
    done = project.make("portable", "ARCH=vax")
    assert done.returncode != 0
    assert "error: ARCH=vax: portable binaries are made for x86_64 and aarch64" in done.stdout
