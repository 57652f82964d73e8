# SPDX-License-Identifier: Apache-2.0
"""A full disk and a read-only /usr: the manager fails, and the version that was there still works."""

import pytest
from toolkit import tree
from toolkit.commands import CLEAN_ENVIRONMENT, run
from versions import PIPS

#: Room for the manager's own files, but not for the module's two binaries of 4.5 MB.
ROOM = "4m"

FULL = """
mount -t tmpfs -o size={room} none {place}
mkdir {place}/upper {place}/work {place}/root
mount -t overlay none -o lowerdir={root},upperdir={place}/upper,workdir={place}/work {place}/root
"""
READ_ONLY = """
mount --bind {root} {place}
mount --bind {root}/usr {place}/usr
mount -o remount,bind,ro {place}/usr
mkdir -p {place}/root
"""
COMMANDS = """
mount -t proc proc {inside}/proc
mount -t tmpfs none {inside}/tmp
chmod 1777 {inside}/tmp
chroot {inside} {manager}
echo "manager: $?"
for pip in {pips}; do chroot {inside} $pip list --disable-pip-version-check; echo "$pip: $?"; done
chroot --userspec=1000:1000 {inside} env HOME=/tmp tls-bootstrap check {checked}
echo "check: $?"
"""


@pytest.fixture(scope="module")
def installed(system):
    system.install(system.old)
    return system


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_the_manager_fails_and_the_old_version_works(installed, trouble, tmp_path):
    system = installed
    before = system.snapshot()
    place = tmp_path / "place"
    place.mkdir()
    setup, inside = (FULL, place / "root") if trouble == "full" else (READ_ONLY, place)
    words = ["apt-get", "--yes"] if system.kind == "apt" else ["dnf", "--assumeyes", "--releasever=9"]
    upgrade = [*words, "install", system.version("python3-tls-bootstrap", system.new)]
    script = (setup + COMMANDS).format(
        room=ROOM, place=place, root=system.root.path, inside=inside, manager=" ".join(upgrade), pips=" ".join(PIPS[system.kind]),
        checked=" ".join(f"--pip {pip}" for pip in PIPS[system.kind]),
    )  # fmt: skip
    words = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", script]
    output = run(words, environment=CLEAN_ENVIRONMENT, log=system.root.log, check=False).output
    lines = output.splitlines()
    assert "manager: 0" not in lines, output
    assert any("No space left" in line or "Read-only file system" in line or "space" in line for line in lines), output
    for pip in PIPS[system.kind]:
        assert f"{pip}: 0" in lines, output
    assert "check: 0" in lines, output
    if trouble == "full":
        # What was written went to the overlay: the root below is the control that nothing else was touched.
        assert tree.compare(before, system.snapshot()) == []


def test_the_same_upgrade_succeeds_where_there_is_room(installed):
    installed.install(installed.new)
    assert installed.module_versions() == {installed.new}
    assert installed.verify() == ""
