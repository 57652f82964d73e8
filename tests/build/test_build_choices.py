# SPDX-License-Identifier: Apache-2.0
"""The variables of `make build`, and what is said when one of them is wrong."""

from __future__ import annotations

import os
import re
import shutil
import stat


def test_plain_make_lists_every_verb_and_builds_nothing(project):
    done = project.make()
    assert done.returncode == 0
    assert not (project.directory / "build").exists()
    text = (project.directory / "Makefile").read_text()
    verbs = re.search(r"^\.PHONY: (.*)$", text, re.M)[1].split()
    for verb in verbs:
        assert re.search(rf"^  {verb} +\S", done.stdout, re.M), f"{verb} has no help"


def test_an_empty_python2_leaves_the_tree_out(project):
    project.build()
    assert not (project.directory / "build" / "system" / "py2").exists()


def test_an_interpreter_that_is_not_there_is_named(project):
    done = project.make("build", "FLAVOUR=system", "PYTHON2=/nowhere/python2.7")
    assert done.returncode != 0
    assert re.search(r"^error: PYTHON2=/nowhere/python2.7: not a CPython 2.7 ", done.stdout, re.M)
    assert "Traceback" not in done.stdout


def test_the_wrong_major_is_refused(project):
    done = project.make("build", "FLAVOUR=system", f"PYTHON2={shutil.which('python3', path='/usr/bin')}")
    assert "not a CPython 2.7" in done.stdout
    assert done.returncode != 0


def test_nothing_left_to_build_is_an_error(project):
    done = project.make("build", "PYTHON3=", "PYTHON2=")
    assert done.returncode != 0
    assert "error: PYTHON3 and PYTHON2 are both empty: nothing to build" in done.stdout


def test_a_compiler_that_is_not_there_is_named(project):
    done = project.make("build", "FLAVOUR=system", CC="no-such-compiler")
    assert done.returncode != 0
    assert "error: the C compiler no-such-compiler does not run" in done.stdout
    assert "Traceback" not in done.stdout


def test_prebuilt_binaries_are_copied(project, tmp_path):
    made = tmp_path / "prebuilt" / "py3" / "_tls_bootstrap" / "_core.abi3.so"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"made elsewhere")
    done = project.make("build", f"PREBUILT={tmp_path / 'prebuilt'}")
    assert done.returncode == 0, done.stdout
    package = project.directory / "build" / "py3" / "_tls_bootstrap"
    assert (package / "_core.abi3.so").read_bytes() == b"made elsewhere"
    assert (package / "__init__.py").exists()
    assert " -c " not in done.stdout


def test_a_prebuilt_tree_without_binaries_is_refused(project, tmp_path):
    done = project.make("build", f"PREBUILT={tmp_path}")
    assert done.returncode != 0
    assert f"error: PREBUILT={tmp_path}: no py3/_tls_bootstrap/_core.abi3.so" in done.stdout


def test_installing_what_is_not_built_is_refused(project, tmp_path):
    done = project.make("install-module", f"DESTDIR={tmp_path / 'root'}")
    assert done.returncode != 0
    assert "is not built: run make build FLAVOUR=bundled first" in done.stdout
    assert not (tmp_path / "root").exists()


def test_installed_files_are_readable_whatever_the_umask(project, tmp_path):
    project.build()
    root = tmp_path / "root"
    before = os.umask(0o077)
    try:
        done = project.make("install-module", "FLAVOUR=system", f"DESTDIR={root}", "SITEDIR=/usr/lib/python3/dist-packages")
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stdout
    package = root / "usr" / "lib" / "python3" / "dist-packages" / "_tls_bootstrap"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in package.iterdir()}
    assert modes.pop("_core.abi3.so") == 0o755
    assert set(modes.values()) == {0o644}
    for directory in (package, *(parent for parent in package.parents if root in (parent, *parent.parents))):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o755, directory
