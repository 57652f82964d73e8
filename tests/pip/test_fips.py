# SPDX-License-Identifier: Apache-2.0
"""In FIPS mode the bundled flavour steps aside: pip goes on with ssl, the check says why and what to install.

No kernel here is in FIPS mode: the module's test seam, which can only turn the refusal on, or a file stands for it.
"""

from __future__ import annotations

import pytest

FIPS_MODE = {"TLS_BOOTSTRAP_ASSUME_FIPS": "1"}
PAIRS = [("2.7", "8.1.2"), ("2.7", "20.3.4"), ("3.6", "9.0.3"), ("3.13", "25.1.1")]


@pytest.fixture(params=PAIRS, ids="-".join)
def installation(request, make):
    version, pip_version = request.param
    return make(version).add_pip(pip_version).add_module().add_hook()


def test_the_hook_falls_through_to_ssl(installation, pip):
    words = ("download", "--no-deps", "--dest", "downloads", "tb-sample")
    run = pip(installation, "-v", *words, environment=FIPS_MODE)
    run.assert_none_ours()
    said = [line for line in run.err.splitlines() if line.startswith("tls-bootstrap: ")]
    assert len(said) == 1
    assert said[0].startswith("tls-bootstrap: pip goes on with ssl: ") and "FIPS mode" in said[0]


def test_the_check_reports_it(installation, check):
    # The check gives what it starts an environment of its own; so another file stands for the kernel's.
    state = installation.core.with_name("fips_enabled")
    state.write_text("1\n")
    loader = installation.core.parent / "_loader.py"
    source = loader.read_text()
    assert source.count('"/proc/sys/crypto/fips_enabled"') == 1
    loader.write_text(source.replace("/proc/sys/crypto/fips_enabled", str(state)))
    done = check("--python", installation.python)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "_tls_bootstrap cannot be used" in done.stdout.splitlines()[0]
    assert "FIPS mode" in done.stdout.splitlines()[0]
    assert "in FIPS mode use the system flavour" in done.stdout
