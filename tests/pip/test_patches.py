# SPDX-License-Identifier: Apache-2.0
"""The redistributors' patches of pip: what `make pip-matrix` proves for all of them, and what it does not ask."""

from __future__ import annotations

import shutil

import pytest
from openssl.errors import BuildError
from toolkit.pip_matrix_installations import SOURCE, apply_patch
from toolkit.pip_matrix_pips import targets

DOWNLOAD = ("download", "--no-deps", "--dest", "downloads", "tb-sample")
PATCHED = [("2.7", "9.0.3"), ("3.13", "25.1.1")]


def patch_of(version, pip_version):
    (target,) = [item for item in targets() if (item.python, item.pip) == (version, pip_version)]
    return SOURCE / target.patch


def test_every_patch_is_in_the_matrix():
    known = {SOURCE / target.patch for target in targets() if target.patch}
    assert known == {path for family in ("rpm", "debian") for path in (SOURCE / family / "pip-patches").iterdir()}


@pytest.mark.parametrize("version, pip_version", PATCHED)
def test_a_patched_pip_goes_on_with_ssl_where_the_module_is_missing_or_broken(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version, patch_of(version, pip_version))
    pip(installation, *DOWNLOAD).assert_none_ours()
    installation.add_module()
    pip(installation, *DOWNLOAD).assert_all_ours()
    (installation.site / "_tls_bootstrap" / "__init__.py").write_text("raise RuntimeError('broken')\n", encoding="ascii")
    pip(installation, *DOWNLOAD).assert_none_ours()


@pytest.mark.parametrize("version, pip_version", PATCHED)
def test_a_patched_pip_and_the_hook_live_together(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version, patch_of(version, pip_version)).add_module().add_hook()
    run = pip(installation, "-v", *DOWNLOAD)
    run.assert_all_ours()
    assert not [line for line in run.err.splitlines() if line.startswith("tls-bootstrap: ")]


def test_a_patch_that_does_not_fit_is_refused(make, tmp_path):
    installation = make("2.7").add_pip("9.0.1")
    shutil.copytree(installation.site / "pip", tmp_path / "pip")
    with pytest.raises(BuildError, match="does not apply to the pristine source"):
        apply_patch(patch_of("2.7", "9.0.3"), str(tmp_path))
