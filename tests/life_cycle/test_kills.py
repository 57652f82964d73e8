# SPDX-License-Identifier: Apache-2.0
"""dpkg and rpm are killed in the middle of an upgrade or downgrade: pip works at that moment, and the usual repair mends all.

The moment is the manager's N-th system call; N comes from a seed that is printed (KILL_SEED repeats a run, KILLS says how
many moments per manager, 20 by default).
"""

import os
import random
import re
import shutil
from collections import Counter

import pytest
from toolkit import releases, repository
from toolkit.commands import CLEAN_ENVIRONMENT, run
from versions import NAMES

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("KILL_SEED", "20170608"))
PACKAGES = "/var/tmp/packages"


def traced(system, strace, command):
    """Run a program of the root under strace, which sees that process alone and not its children."""
    root = system.root.path
    enter = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc"]
    words = [*enter, "--", "strace", "-qq", *strace, "chroot", root, *command]
    return run(words, environment=CLEAN_ENVIRONMENT, log=system.root.log, check=False)


def upgrade_command(system, version):
    """The lower tool itself, on files: what apt and dnf run in the end."""
    if system.kind == "apt":
        return ["dpkg", "--install", *(f"{PACKAGES}/{version}/{name}.deb" for name in NAMES)]
    return ["rpm", "--upgrade", "--oldpackage", *(f"{PACKAGES}/{version}/{name}.rpm" for name in NAMES)]


def repair(system, version):
    """Mend by the usual words, then go on to a version; whether the words sufficed.

    A package that dpkg was unpacking must be installed once more, by dpkg's own message, before anything else is done.
    """
    if system.kind == "apt":
        system.root.run(["dpkg", "--configure", "--pending"], check=False)
        fixed = system.root.run(["apt-get", "--fix-broken", "--yes", "install"], check=False)
        assert fixed.status == 0 or "you should\n reinstall it" in fixed.output, fixed.output
        system.root.run(["dpkg", "--install", *(f"{PACKAGES}/{version}/{name}.deb" for name in NAMES)])
        return fixed.status == 0
    command = upgrade_command(system, version)
    system.root.run([*command[:2], "--force", *command[2:]])
    return True


def leftovers(system):
    """What a killed rpm leaves beside its files, with the beginning of a digest in the name."""
    names = (str(path.relative_to(system.root.path)) for path in (system.root.path / "usr").rglob("*;*"))
    return sorted(name for name in names if re.search(r";[0-9a-f]{8}$", name))


@pytest.fixture(scope="module")
def loaded(system, two_versions):
    """The system with the old version installed, and the files of both in it."""
    repo, old, new = two_versions
    for version in (old, new):
        place = system.root.path / PACKAGES.lstrip("/") / version
        place.mkdir(parents=True)
        for name in NAMES:
            if system.kind == "apt":
                suffix = releases.by_name("bullseye").suffix
                (found,) = (repo / repository.APT / "pool" / "bullseye").glob(f"{name}_{version}-1{suffix}_*.deb")
                shutil.copy(found, place / f"{name}.deb")
            else:
                codename = "el8" if name.startswith("python2-") else "el9"
                directory = repo / repository.yum_part(releases.by_name(codename), os.uname().machine)
                (found,) = directory.glob(f"{name}-{version}-1*.rpm")
                shutil.copy(found, place / f"{name}.rpm")
    if system.kind == "dnf":
        system.root.run(["rpm", "--import", repository.YUM_KEY_PATH])
    system.install(old)
    return system


def calls(system, version):
    """The system calls that the manager makes for a change to a version: (name, its number among those of this name)."""
    log = system.root.path / "var" / "tmp" / "calls"
    done = traced(system, ["-s", "0", "-o", str(log)], upgrade_command(system, version))
    assert done.status == 0, done.output
    counted = Counter()
    found = []
    for name in re.findall(r"^(\w+)\(", log.read_text(errors="replace"), re.MULTILINE):
        counted[name] += 1
        found.append((name, counted[name]))
    return found


def test_pip_works_wherever_the_manager_is_killed(loaded):
    system = loaded
    made = calls(system, system.new)
    total = len(made)
    chance = random.Random(f"{SEED} {system.kind}")
    points = sorted(chance.randrange(total // 20, total) for _ in range(KILLS))
    print(f"{system.kind}: {total} system calls; seed {SEED}; killed at {points}")
    version, left, killed, again = system.old, set(), 0, 0
    for point in points:
        # strace counts each kind of call by itself.
        name, number = made[point]
        inject = ["-e", f"trace={name}", "-o", "/dev/null", "-e", f"inject={name}:signal=SIGKILL:when={number}"]
        done = traced(system, inject, upgrade_command(system, version))
        killed += done.status != 0
        assert system.pip_works() == {}, f"after {point} of {total} calls"
        left |= set(leftovers(system))
        again += not repair(system, version)
        assert system.verify() == "", f"after {point} of {total} calls"
        assert system.module_versions() == {version}, f"after {point} of {total} calls"
        for name in leftovers(system):
            (system.root.path / name).unlink()
        version = system.new if version == system.old else system.old
    print(f"{system.kind}: {killed} of {len(points)} times it died; {again} times a package had to be installed once more")
    print(f"{system.kind}: left beside files: {' '.join(sorted(left)) or 'nothing'}")
    assert killed >= len(points) * 3 // 4, "the points lie beyond the end"
    status, output = system.check()
    assert status == 0, output
