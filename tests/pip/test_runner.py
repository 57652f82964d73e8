# SPDX-License-Identifier: Apache-2.0
"""`tls-bootstrap pip`: pip over `_tls_bootstrap` without the hook being installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src" / "command" / "tls_bootstrap_command" / "children"))

from run_pip import redirected  # noqa: E402  (needs the path set above)

DOWNLOAD = ("download", "--no-deps", "--dest", "downloads", "tb-sample")


def files_below(directory):
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def run_pip(check, index):
    def run(installation, *words):
        trace = installation.root / "trace"
        trace.unlink(missing_ok=True)
        before = index.connections
        environment = {
            "TLS_BOOTSTRAP_TRACE": str(trace),
            "PIP_INDEX_URL": index.url,
            "PIP_CERT": str(index.authority),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_RETRIES": "0",
            "PIP_CACHE_DIR": str(installation.root / "cache"),
        }
        done = check("--python", installation.python, *words, verb="pip", environment=environment)
        traced = trace.read_text(encoding="ascii").splitlines() if trace.exists() else []
        return done, traced, index.connections - before

    return run


@pytest.mark.parametrize("version, pip_version", [("2.7", "20.3.4"), ("3.6", None), ("3.9", "20.3.4"), ("3.13", "25.1.1")])
def test_the_runner_needs_no_hook_and_leaves_nothing(make, run_pip, workplace, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module()
    # Byte code of pip and of the module is written here by whoever imports them first, as root would on a system
    # whose packages did not bring it.
    installation.run("-m", "compileall", "-q", str(installation.site))
    before = files_below(installation.site), files_below(workplace / "command")
    done, traced, connections = run_pip(installation, "download", "--no-deps", "--dest", installation.root / "d", "tb-sample")
    assert done.returncode == 0, done.stderr
    assert connections > 0
    assert len(traced) == connections
    assert (files_below(installation.site), files_below(workplace / "command")) == before


@pytest.mark.parametrize("version, pip_version", [("3.9", "20.3.4"), ("3.13", "25.1.1")])
def test_the_runner_reaches_the_pip_of_an_isolated_build(make, run_pip, version, pip_version):
    installation = make(version).add_pip(pip_version).add_module()
    target = installation.root / "target"
    done, traced, connections = run_pip(installation, "install", "--no-deps", "--no-cache-dir", "--target", target, "tb-source")
    assert done.returncode == 0, done.stderr
    assert connections > 2
    assert len(traced) == connections
    assert (target / "tb_source.py").exists()


@pytest.mark.parametrize("started, instead", [
    (["-m", "pip", "install", "-v"], ["RUNNER", "--", "install", "-v"]),  # pip 18; the matrix has such a build
    (["-s", "-m", "pip", "install"], ["-s", "RUNNER", "--", "install"]),
    (["/site/pip", "install"], ["RUNNER", "--script", "/site/pip", "--", "install"]),
    (["-m", "pipes", "install"], None),
    (["-m", "build", "pip"], None),
    (["setup.py", "-m", "pip"], None),
    (["-c", "pip"], None),
])  # fmt: skip
def test_a_pip_that_pip_starts_is_found_on_its_command_line(started, instead):
    command = [sys.executable, *started]
    assert redirected(command, ["RUNNER"]) == ([sys.executable, *instead] if instead else command)


def test_the_exit_code_is_pips(make, run_pip):
    installation = make("3.9").add_pip().add_module()
    assert run_pip(installation, "download", "--dest", installation.root / "d", "tb-missing")[0].returncode == 1
    assert run_pip(installation, "no-such-command")[0].returncode == 1


def test_without_the_module_the_runner_says_what_to_install(make, run_pip):
    installation = make("3.9").add_pip()
    done = run_pip(installation, "list")[0]
    assert done.returncode == 4
    assert f"_tls_bootstrap is not installed for {installation.python}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_runner_runs_pip_over_ssl_when_the_module_is_damaged(make, run_pip):
    installation = make("3.9").add_pip().add_module()
    os.truncate(installation.core, 4096)
    done, traced, connections = run_pip(installation, *DOWNLOAD[:3], installation.root / "d", "tb-sample")
    assert done.returncode == 0, done.stderr
    assert connections > 0
    assert traced == []
    assert "tls-bootstrap: pip goes on without _tls_bootstrap: " in done.stderr
