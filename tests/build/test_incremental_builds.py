# SPDX-License-Identifier: Apache-2.0
"""Only what changed is compiled, and a build that fails leaves the one before in place."""

from __future__ import annotations


def test_nothing_is_compiled_when_nothing_changed(project):
    assert sorted(project.build()) == ["module.c", "other.c"]
    made = project.binary.stat().st_mtime_ns
    assert project.build() == []
    assert project.binary.stat().st_mtime_ns == made


def test_a_changed_source_is_compiled_alone(project):
    project.build()
    (project.core / "other.c").write_text("int other(void);\nint other(void) { return 2; }\n")
    assert project.build() == ["other.c"]


def test_a_changed_header_compiles_what_includes_it(project):
    project.build()
    assert project.answer() == 42
    (project.core / "answer.h").write_text("#define ANSWER 43\n")
    assert project.build() == ["module.c"]
    assert project.answer() == 43


def test_a_new_source_is_noticed_and_a_removed_one_forgotten(project):
    project.build()
    (project.core / "third.c").write_text("int third(void);\nint third(void) { return 3; }\n")
    assert project.build() == ["third.c"]
    (project.core / "third.c").unlink()
    made = project.binary.stat().st_mtime_ns
    assert project.build() == []
    assert project.binary.stat().st_mtime_ns != made


def test_other_flags_compile_everything_again(project):
    project.build()
    assert sorted(project.build(CFLAGS="-O1")) == ["module.c", "other.c"]


def test_flags_of_a_distribution_are_visible_and_honoured(project):
    done = project.make(
        "build", "FLAVOUR=system", "PYTHON2=", CC="gcc -DFROM_CC", CFLAGS="-O1 -DFROM_CFLAGS", CPPFLAGS="-DFROM_CPPFLAGS",
        LDFLAGS="-Wl,-z,now -Wl,--build-id=sha1",
    )  # fmt: skip
    compile_line = next(line for line in done.stdout.splitlines() if " -c " in line)
    link_line = next(line for line in done.stdout.splitlines() if " -shared " in line)
    for flag in ("-DFROM_CC", "-O1", "-DFROM_CFLAGS", "-DFROM_CPPFLAGS"):
        assert flag in compile_line.split()
    assert "-Wl,--build-id=sha1" in link_line.split()


def test_a_compile_error_leaves_the_last_binary(project):
    project.build()
    before = project.binary.read_bytes()
    (project.core / "other.c").write_text("this is not C\n")
    done = project.make("build", "FLAVOUR=system", "PYTHON2=")
    assert done.returncode != 0
    assert "error: the compiler failed: src/core/other.c" in done.stdout
    assert "Traceback" not in done.stdout
    assert project.binary.read_bytes() == before
    (project.core / "other.c").write_text("int other(void);\nint other(void) { return 2; }\n")
    assert project.build() == ["other.c"]


def test_python_files_follow_the_source(project):
    project.build()
    package = project.binary.parent
    added = project.directory / "src" / "_tls_bootstrap" / "_added.py"
    added.write_text("ADDED = True\n")
    project.build()
    assert (package / "_added.py").read_text() == "ADDED = True\n"
    added.unlink()
    project.build()
    assert not (package / "_added.py").exists()


def test_the_same_source_gives_the_same_binary_elsewhere(project, tmp_path):
    project.build()
    first = project.binary.read_bytes()
    project.directory.rename(tmp_path / "another-and-longer-name")
    project.directory = tmp_path / "another-and-longer-name"
    project.core = project.directory / "src" / "core"
    project.make("clean")
    assert not (project.directory / "build").exists()
    project.build()
    assert project.binary.read_bytes() == first
