# SPDX-License-Identifier: Apache-2.0
"""The redistributors' patches of pip: what `make pip-matrix` proves for all of them, and what it does not ask."""

from __future__ import annotations

import json
import platform
import re
import shutil

import pytest
from test_hook import LOOK_AT_NEIGHBOURS, SWITCH, move_switch
from test_ladder import BINARIES, PYOPENSSL
from openssl.errors import BuildError
from toolkit.pip_matrix import cells
from toolkit.pip_matrix.index import ANY, Identity
from toolkit.pip_matrix.installations import SOURCE, apply_patch
from toolkit.pip_matrix.pips import targets
from toolkit.pip_matrix.places import PATCHED as BY_PATCH
from toolkit.pip_matrix.places import Places

DOWNLOAD = ("download", "--no-deps", "--dest", "downloads", "tb-sample")
PATCHED = [("2.7", "9.0.3"), ("3.13", "25.1.1")]
PATCHES = sorted(path for family in ("rpm", "debian") for path in (SOURCE / family / "pip-patches").iterdir())


def patch_of(version, pip_version):
    (target,) = [item for item in targets() if (item.python, item.pip) == (version, pip_version)]
    return SOURCE / target.patch


def test_every_patch_is_in_the_matrix():
    known = {SOURCE / target.patch for target in targets() if target.patch}
    assert known == set(PATCHES)


@pytest.mark.parametrize("path", PATCHES, ids=lambda path: path.stem)
def test_a_patch_is_a_few_lines_and_fits_the_source_as_it_is_unpacked(path):
    """pip is below src in the sources since 10, and at the top before."""
    lines = path.read_text(encoding="ascii").splitlines()
    # Blank ones are counted. 20.3.4's Python 2 could never do TLS within TLS before: two methods of urllib3 learn it.
    assert len([line for line in lines if re.match(r"[+-](?!--|\+\+)", line)]) <= (36 if path.stem == "pip-20.3.4" else 27)
    release = int(path.stem.partition("-")[2].split(".")[0])
    top = "b/src/pip/_vendor/" if release >= 10 else "b/pip/_vendor/"
    assert all(line.startswith(f"+++ {top}") for line in lines if line.startswith("+++ "))


@pytest.mark.parametrize("version, pip_version", PATCHED)
def test_a_patched_pip_goes_on_with_ssl_where_the_module_is_missing_or_broken(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version, patch_of(version, pip_version))
    pip(installation, *DOWNLOAD).assert_none_ours()
    installation.add_module()
    pip(installation, *DOWNLOAD).assert_all_ours()
    (installation.site / "_tls_bootstrap" / "__init__.py").write_text("raise RuntimeError('broken')\n", encoding="ascii")
    pip(installation, *DOWNLOAD).assert_none_ours()


@pytest.mark.parametrize("version, pip_version", PATCHED)
def test_the_off_switches_count_for_a_patched_pip_too(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version, patch_of(version, pip_version)).add_module()
    parts = installation.site.glob("pip/_vendor/**/*.py")
    (part,) = [path for path in parts if SWITCH in path.read_text(encoding="utf-8")]
    switch = move_switch(installation, part)
    pip(installation, *DOWNLOAD).assert_all_ours()
    pip(installation, *DOWNLOAD, environment={"TLS_BOOTSTRAP_PIP": "0"}).assert_none_ours()
    switch.touch()
    pip(installation, *DOWNLOAD).assert_none_ours()


@pytest.mark.parametrize("version, pip_version", [("2.7", "9.0.3"), ("2.7", "20.3.4"), ("3.6", "9.0.3"), ("3.13", "25.1.1")])
def test_nobody_but_the_stack_of_a_patched_pip_holds_the_module(make, version, pip_version):
    installation = make(version).add_pip(pip_version, patch_of(version, pip_version)).add_module()
    program = LOOK_AT_NEIGHBOURS.replace("from pip._internal import main", "from pip import main")
    done = installation.run("-c", program)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["urllib3"].startswith("_tls_bootstrap")
    assert seen["ssl"] == ["ssl"] * 3
    assert seen["import"] is True
    stack = ("pip._vendor.urllib3", "pip._vendor.truststore", "pip._vendor._tls", "_tls_bootstrap", "__main__")
    stack += ("pip._vendor.requests.packages.urllib3",)  # 9.0.3's second name for it
    assert [name for name in seen["holders"] if not name.startswith(stack)] == []


@pytest.mark.parametrize("version, pip_version", PATCHED)
def test_a_patched_pip_obeys_the_off_switch_and_satisfies_the_check(make, pip, check, version, pip_version):
    installation = make(version).add_pip(pip_version, patch_of(version, pip_version)).add_module()
    pip(installation, *DOWNLOAD, environment={"TLS_BOOTSTRAP_PIP": "0"}).assert_none_ours()
    done = check("--python", installation.python)
    assert done.returncode == 0, done.stdout + done.stderr
    done = check("--python", installation.python, environment={"TLS_BOOTSTRAP_PIP": "0"})
    assert done.returncode == 2, done.stdout + done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the pinned wheels of cryptography are for x86_64")
@pytest.mark.parametrize("version, pip_version", [("2.7", "20.0.2")])
def test_a_patched_pip_does_not_put_pyopenssl_over_the_module(make, pip, version, pip_version):
    """This pip does so whenever it can be imported; without the module it still does. (8.1's bridge needs ndg-httpsclient too.)"""
    installation = make(version).add_pip(pip_version, patch_of(version, pip_version)).add_module()
    installation.add_wheels(*PYOPENSSL, *BINARIES[version])
    pip(installation, *DOWNLOAD).assert_all_ours()
    program = "import pip._vendor.requests, pip._vendor.urllib3.util.ssl_ as below; print(below.SSLContext.__module__)"
    assert installation.run("-W", "ignore", "-c", program).stdout.strip() == "_tls_bootstrap"
    installation.core.unlink()
    assert installation.run("-W", "ignore", "-c", program).stdout.strip() == "pip._vendor.urllib3.contrib.pyopenssl"


@pytest.mark.parametrize("version, pip_version", PATCHED)
def test_a_patched_pip_and_the_hook_live_together(make, pip, version, pip_version):
    installation = make(version).add_pip(pip_version, patch_of(version, pip_version)).add_module().add_hook()
    run = pip(installation, "-v", *DOWNLOAD)
    run.assert_all_ours()
    assert not [line for line in run.err.splitlines() if line.startswith("tls-bootstrap: ")]


@pytest.mark.parametrize("version", ["2.7", "3.9"])
def test_a_patched_pip_reaches_an_index_behind_a_proxy_over_tls(workplace, version):
    """TLS within TLS, which no Python 2 could do: a cell of the matrix, whose others CI does not run each time."""
    (target,) = [item for item in targets() if (item.python, item.pip, item.patch != "") == (version, "20.3.4", True)]
    identity = Identity(SOURCE / "build" / "py3")
    with Places(workplace) as places:
        cell = cells.run(places.make(target, patched=True), BY_PATCH, "proxy over TLS", ANY, identity, cells.Helps())
    assert cell.status == cells.PROVEN, cell.why


def test_a_patch_that_does_not_fit_is_refused(make, tmp_path):
    installation = make("2.7").add_pip("9.0.1")
    shutil.copytree(installation.site / "pip", tmp_path / "pip")
    with pytest.raises(BuildError, match="does not apply to the pristine source"):
        apply_patch(patch_of("2.7", "9.0.3"), str(tmp_path))
