# SPDX-License-Identifier: Apache-2.0
"""`tls-bootstrap venv DIR`: one file makes the pip of a virtual environment use the system's module."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest
from toolkit import wheels

DOWNLOAD = ("download", "--no-deps", "--dest", "downloads", "tb-sample")
VIRTUALENV = ("virtualenv==20.15.1", "distlib==0.4.4", "filelock==3.19.1", "platformdirs==2.6.2", "six==1.16.0")


class Environment:
    """What `pip` of conftest needs of an installation, for a virtual environment."""

    def __init__(self, base, root: Path) -> None:
        self.base, self.root = base, root
        self.python = root / "bin" / "python"

    def run(self, *arguments, **options):
        kept, self.base.python = self.base.python, self.python
        try:
            return self.base.run(*arguments, cwd=self.root, **options)
        finally:
            self.base.python = kept

    def files(self) -> set[Path]:
        return {path for path in self.root.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture
def make_venv(make):
    """A venv by the standard library's module; `more` are its options. Its pip is unpacked, which is faster."""

    def run(version, *more, hook=False, pip=True):
        base = make(version).add_module()
        if hook:
            base.add_hook()
        root = base.root / "environment"
        done = base.run("-m", "venv", "--without-pip", *more, root)
        assert done.returncode == 0, done.stderr
        made = Environment(base, root)
        if pip:
            kept, base.site = base.site, root / base.site.relative_to(base.root)
            base.add_pip()
            base.site = kept
        return made

    return run


@pytest.fixture
def make_virtualenv(make, tmp_path):
    """A virtual environment by virtualenv, which the build side's Python runs."""

    def run(version, *more, hook=False):
        base = make(version).add_module()
        if hook:
            base.add_hook()
        modules = tmp_path / "virtualenv"
        for requirement in VIRTUALENV:
            with zipfile.ZipFile(wheels.path(requirement)) as archive:
                archive.extractall(modules)
        root = base.root / "environment"
        program = [sys.executable, "-m", "virtualenv", "-q", "--app-data", tmp_path / "data", "-p", base.python, *more, root]
        kept, base.python = base.python, Path(sys.executable)
        try:
            done = base.run(*program[1:], environment={"PYTHONPATH": str(modules)})
        finally:
            base.python = kept
        assert done.returncode == 0, done.stdout + done.stderr
        return Environment(base, root)

    return run


@pytest.fixture
def switch(check):
    def run(environment, *words):
        done = check(environment.root, *words, verb="venv")
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def use_and_restore(environment, pip, switch):
    before = environment.files()
    pip(environment, *DOWNLOAD).assert_none_ours()
    said = switch(environment)
    added = [path for path in environment.files() - before if path.suffix == ".pth"]
    assert [path.name for path in added] == ["_tls_bootstrap_pip.pth"] and str(added[0]) in said
    pip(environment, *DOWNLOAD).assert_all_ours()
    pip(environment, *DOWNLOAD, environment={"TLS_BOOTSTRAP_PIP": "0"}).assert_none_ours()
    switch(environment, "--remove")
    assert not added[0].exists()
    pip(environment, *DOWNLOAD).assert_none_ours()


@pytest.mark.parametrize("version", ["3.6", "3.13"])
def test_a_venv_is_switched_on_and_off_by_one_file(make_venv, pip, switch, version):
    use_and_restore(make_venv(version), pip, switch)


@pytest.mark.parametrize("version", ["2.7", "3.9"])
def test_a_virtualenv_is_switched_on_and_off_by_one_file(make_virtualenv, pip, switch, version):
    use_and_restore(make_virtualenv(version), pip, switch)


def test_a_pip_that_ensurepip_brings_is_reached(make_venv, pip, switch):
    environment = make_venv("3.9", pip=False)
    switch(environment)
    assert environment.run("-m", "ensurepip").returncode == 0
    pip(environment, *DOWNLOAD).assert_all_ours()


def test_the_check_examines_a_virtual_environment(make_venv, check, switch):
    environment = make_venv("3.9")
    switch(environment)
    done = check("--python", environment.python)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version, by", [("2.7", "virtualenv"), ("3.9", "venv"), ("3.13", "venv")])
def test_an_environment_with_the_systems_packages_has_the_systems_hook_until_it_is_switched_off(request, pip, switch, version, by):
    environment = request.getfixturevalue(f"make_{by}")(version, "--system-site-packages", hook=True)
    pip(environment, *DOWNLOAD).assert_all_ours()
    switch(environment, "--off")
    pip(environment, *DOWNLOAD).assert_none_ours()
    switch(environment)
    pip(environment, *DOWNLOAD).assert_all_ours()


def test_the_file_is_silent_when_the_systems_files_are_gone(make_venv, pip, switch):
    environment = make_venv("3.9")
    switch(environment)
    (file,) = environment.root.rglob("_tls_bootstrap_pip.pth")
    file.write_text(file.read_text().replace("_tls_bootstrap_pip_finder.py", "no_such_file.py"))
    done = environment.run("-c", "pass")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pip(environment, *DOWNLOAD).assert_none_ours()


def test_what_is_no_virtual_environment_is_refused(make, check, tmp_path):
    done = check(tmp_path, verb="venv")
    assert done.returncode == 4
    assert "this is no virtual environment" in done.stderr and len(done.stderr.splitlines()) == 1
    installation = make("3.9").add_module()
    (installation.root / "bin" / "python").symlink_to(installation.python.name)
    done = check(installation.root, verb="venv")
    assert done.returncode == 4
    assert "is not that of a virtual environment" in done.stderr


@pytest.mark.parametrize("how", [[], ["--remove"]], ids=["on", "remove"])
def test_a_file_of_somebody_else_is_left_alone(make_venv, check, how):
    environment = make_venv("3.9", pip=False)
    place = environment.root / "lib" / "python3.9" / "site-packages" / "_tls_bootstrap_pip.pth"
    place.write_text("# mine\n", encoding="ascii")
    done = check(*how, environment.root, verb="venv")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"tls-bootstrap: {place} is not ours: look at it and move it away\n"
    assert place.read_text(encoding="ascii") == "# mine\n"


def test_an_empty_name_is_not_the_working_directory(check):
    assert check("", verb="venv").stderr == "tls-bootstrap: venv: DIR is empty: name the virtual environment\n"


def test_names_that_the_locale_has_not(make_venv, check):
    environment = make_venv("3.9", pip=False)
    moved = environment.root.rename(environment.root.with_name("g\u00fcn 'quoted\""))
    for how in ([], ["--remove"], ["--off"]):
        done = check(*how, moved, verb="venv", environment={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})
        assert (done.returncode, done.stderr) == (0, "")
    assert (moved / "tls-bootstrap-disabled").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")
def test_root_starts_no_program_of_another_user(make_venv, check):
    environment = make_venv("3.9")
    os.chown(environment.root, 65534, 65534)
    done = check(environment.root, verb="venv")
    assert done.returncode == 4
    assert "run this as that user" in done.stderr
