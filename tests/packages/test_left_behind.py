# SPDX-License-Identifier: Apache-2.0
"""The .pth file alone, as a removal that was broken off leaves it: the system's own Python programs notice nothing."""

import pytest
from conftest import WORK
from core.install import HOOK_LINE
from openssl import cache
from toolkit import mounts, roots
from toolkit.pip_matrix.installations import HOOK

PTH = HOOK_LINE[3]
#: Manager -> root, where its Python finds modules, and what is run: its own programs and others that are made of Python.
SYSTEMS = {
    "apt": (
        roots.Recipe("bullseye-apt-programs", "bullseye", ("python3", "python3-apt", "unattended-upgrades", "lsb-release")),
        ["/usr/lib/python3/dist-packages"],
        [["/usr/bin/unattended-upgrade", "--dry-run", "--verbose"], ["/usr/bin/lsb_release", "--all"]],
    ),
    "dnf": (
        roots.RPM,
        ["/usr/lib/python3/dist-packages", "/usr/lib/python3.9/site-packages", "/usr/lib/python2.7/site-packages"],
        [["/usr/bin/dnf", "--version"], ["/usr/bin/dnf", "--cacheonly", "list", "--installed"], ["/usr/bin/python2.7", "-c", "0"]],
    ),
}


@pytest.mark.parametrize("manager", sorted(SYSTEMS))
def test_the_systems_own_programs_work_as_before(as_root, manager):
    recipe, sites, commands = SYSTEMS[manager]
    WORK.mkdir(parents=True, exist_ok=True)
    with cache.locked(str(WORK / f".left-behind-{manager}"), str(WORK)):
        mounts.separate()
        root = roots.unpack(recipe, WORK / "roots" / f"left-behind-{manager}", WORK / f"left-behind-{manager}.log")
        try:
            before = [root.run(command) for command in commands]
            for site in sites:
                root.write(f"{site}/{PTH}", (HOOK / HOOK_LINE[2 if "/python2" in site else 3]).read_bytes())
                assert not list((root.path / site[1:]).glob("_tls_bootstrap*[!h]"))
            after = [root.run(command) for command in commands]
            assert [done.output for done in after] == [done.output for done in before]
            # The control: a .pth file that fails is seen by each of them.
            for site in sites:
                root.write(f"{site}/{PTH}", "import no_such_module\n")
            for command in commands:
                assert "no_such_module" in root.run(command, check=False).output, command
        finally:
            root.remove()
