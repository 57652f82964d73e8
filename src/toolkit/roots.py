# SPDX-License-Identifier: Apache-2.0
"""Throw-away root file systems, made by mmdebstrap once and kept in the cache; each use gets what looks like a copy.

Commands run in a root through chroot inside private mount, process and IPC
namespaces: whatever they mount vanishes with them, and removing a root can
therefore never reach into another file system.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openssl import cache
from toolkit import mounts, wheels
from toolkit.commands import CLEAN_ENVIRONMENT, CommandError, Completed, run

#: Raised by hand when the code below makes other roots from the same recipe.
_FORMAT = 2

USER = "user"
_USER_ID = 1000


class Root:
    """One unpacked root file system in a directory of its own."""

    def __init__(self, path: Path, log: Path) -> None:
        self.path = path
        self.log = log

    def run(
        self,
        arguments: Sequence[str],
        *,
        user: str = "root",
        environment: Mapping[str, str] | None = None,
        timeout: float = 300,
        check: bool = True,
        network: bool = True,
    ) -> Completed:
        """Run a program inside as ``root`` or as the ordinary ``user`` (see commands.run).

        ``environment`` is added to a clean one. The network is the machine's, so that
        programs inside reach a server on loopback, unless ``network`` is false.
        """
        variables = {**CLEAN_ENVIRONMENT, **(environment or {})}
        enter = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--ipc"]
        enter += [] if network else ["--net"]
        enter += [f"--mount-proc={self.path}/proc", "--", "/usr/sbin/chroot"]
        if user != "root":
            variables.update(HOME=f"/home/{user}", USER=user, LOGNAME=user)
            enter += [f"--userspec={_USER_ID}:{_USER_ID}", f"--groups={_USER_ID}"]
        return run(
            [*enter, str(self.path), *arguments],
            log=self.log,
            environment=variables,
            timeout=timeout,
            check=check,
        )

    def write(self, inside: str, content: str | bytes, *, mode: int = 0o644, user: str = "root") -> Path:
        """Make or replace a file, ``inside`` being its path in the root; returns it outside."""
        target = self.path / inside.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        target.chmod(mode)
        if user != "root":
            os.chown(target, _USER_ID, _USER_ID)
        return target

    def make_directory(self, inside: str, *, mode: int = 0o755, user: str = "root") -> Path:
        """Make a directory (its parent exists); returns its path outside the root."""
        target = self.path / inside.lstrip("/")
        target.mkdir(mode=mode)
        if user != "root":
            os.chown(target, _USER_ID, _USER_ID)
        return target

    def remove_file(self, inside: str) -> None:
        """Remove one file that must be there."""
        (self.path / inside.lstrip("/")).unlink()

    def remove(self) -> None:
        """Remove the whole root; refuses, touching nothing, when something is mounted inside."""
        remove_tree(self.path)


def remove_tree(path: Path) -> None:
    """Remove a directory that may hold roots, never crossing a mount that is not an overlay of ours.

    Raises CommandError when a mount lies at or below it; a directory that is not
    there is no error.
    """
    if not path.exists():
        return
    place = os.path.realpath(path)
    mounts.release(place)
    for point in cache.mounts_below(place):
        raise CommandError(f"{point} is mounted; unmount it, then remove {path}")
    run(["rm", "-rf", "--one-file-system", "--", place])


@dataclass(frozen=True)
class Recipe:
    """What a root is made of. Everything in it is part of the cache's key."""

    name: str
    suite: str
    packages: tuple[str, ...]
    finish: Callable[[Root], None] | None = None
    #: Names and versions of wheels ``finish`` installs.
    wheels: tuple[str, ...] = ()
    #: Raised by hand when ``finish`` changes what it leaves.
    revision: int = 1
    arguments: tuple[str, ...] = field(default=())
    #: What else ``finish`` takes from this machine, named so that another content has another name.
    inputs: tuple[str, ...] = field(default=())

    def key(self) -> str:
        """What a cached root depends on. Not the day: a stable suite may lag a point release."""
        return repr((
            _FORMAT, self.name, self.suite, self.packages, self.wheels, self.revision, self.arguments,
            [wheels.digest(name) for name in self.wheels], os.uname().machine, *self.inputs,
        ))


def mirror() -> str:
    """The archive this machine itself installs from. Raises CommandError when apt knows none."""
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    codename = release.get("VERSION_CODENAME", "").strip('"')
    listing = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT) $(CREATED_BY)"])
    for line in listing.output.splitlines():
        words = line.split()
        if len(words) == 4 and words[1:] == [codename, "main", "Packages"]:
            return words[0]
    raise CommandError(f"apt on this machine lists no archive for {codename or 'its release'}: run apt-get update")


def suite_options(suite: str) -> tuple[str, ...]:
    """What mmdebstrap is told for one of Debian's suites, as a recipe's arguments."""
    # A mirror that is behind: a root does not depend on the newest packages. Stable suites never expire.
    return ('--aptopt=Acquire::Check-Valid-Until "false"',) if suite == "sid" else ()


def _make(recipe: Recipe, work: Path, log: Path) -> None:
    # APT::Sandbox::User: the cache directory need not be readable to _apt.
    run(
        [
            "mmdebstrap", "--mode=root", "--variant=apt", "--format=directory",
            "--aptopt=APT::Sandbox::User \"root\"", f"--include={','.join(recipe.packages)}",
            *recipe.arguments, recipe.suite, work, mirror(),
        ],
        log=log,
        timeout=900,
    )
    root = Root(work, log)
    root.write("/etc/hosts", "127.0.0.1 localhost\n")
    # The roots are used offline: everything they need is in them.
    root.write("/etc/apt/sources.list", "")
    root.run(["useradd", "--create-home", "--uid", str(_USER_ID), "--shell", "/bin/sh", USER])
    if recipe.finish:
        recipe.finish(root)


def prepared(recipe: Recipe, log: Path) -> Path:
    """The recipe's root in the cache, made when it is not there yet. Nothing may be changed in it: see `unpack`."""

    def make(directory: str) -> None:
        # Old programs with the set-user-ID bit are in it: for root's eyes only.
        Path(directory).chmod(0o700)
        _make(recipe, Path(directory, "root"), log)

    return Path(cache.entry("roots", f"{recipe.name}-{cache.key_of(recipe.key())}", make), "root")


def unpack(recipe: Recipe, path: Path, log: Path, *, copy: bool = False) -> Root:
    """A fresh root of this recipe at ``path``; what was there before is removed.

    ``copy`` makes it one for programs that refuse to work on an overlay (usrmerge).
    """
    tree = prepared(recipe, log)
    remove_tree(path)
    path.mkdir(parents=True)
    if copy or not mounts.overlay(tree, path, log):
        run(["cp", "--archive", "--no-target-directory", "--", tree, path], log=log)
    return Root(path, log)


def _install_pip_for_python2(root: Root) -> None:
    """Debian bullseye has no pip for its Python 2.7: install PyPI's last one, system-wide."""
    wheel = wheels.path("pip==20.3.4")
    root.write(f"/tmp/{wheel.name}", wheel.read_bytes())
    inside = f"/tmp/{wheel.name}"
    root.run(["python2.7", f"{inside}/pip", "install", "--no-index", "--no-deps", "--no-cache-dir", inside])
    root.remove_file(inside)


#: EL keeps its modules where Debian's interpreters do not look.
_EL_STACKS = {"3.9": "pip==21.2.3", "2.7": "pip==9.0.3"}

_LAUNCHER = """#!{program}
import re
import sys
from {module} import main
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""


def launcher(program: str, module: str) -> str:
    """The text of a pip command as installers write it."""
    return _LAUNCHER.format(program=program, module=module)


def configure_rpm(root: Root) -> None:
    """What rpm and dnf of Debian must be told to leave nothing behind but their databases."""
    root.write("/etc/rpm/macros", "%_dbpath /var/lib/rpm\n%_db_backend sqlite\n")
    # dnf imports a key in a directory below /tmp and gives up removing it where the agent, which sees its socket go, was
    # faster with another: an empty directory stays.
    root.write("/etc/gnupg/gpg.conf", "no-autostart\n")


def _become_rpm_root(root: Root) -> None:
    """Give the root EL's directories and pips, then put all of it into rpm's database."""
    # These belong to EL's package filesystem.
    for place in ("/usr/share/licenses", "/etc/pki/rpm-gpg"):
        (root.path / place[1:]).mkdir(parents=True)
    configure_rpm(root)
    for version, pip in _EL_STACKS.items():
        places = [f"/usr/lib64/python{version}/site-packages", f"/usr/lib/python{version}/site-packages"]
        for place in places:
            # python3-libs owns __pycache__ there.
            (root.path / place[1:] / ("" if version == "2.7" else "__pycache__")).mkdir(parents=True)
        lines = "".join(f"import site; site.addsitedir('{place}')\n" for place in places)
        root.write(f"/usr/local/lib/python{version}/dist-packages/el-site-packages.pth", lines)
        with zipfile.ZipFile(wheels.path(pip)) as archive:
            archive.extractall(root.path / places[1][1:])
        module = "pip" if version == "2.7" else "pip._internal.cli.main"
        names = ("pip2", "pip2.7") if version == "2.7" else ("pip", "pip3", "pip3.9")
        for name in names:
            root.write(f"/usr/bin/{name}", launcher(f"/usr/bin/python{version}", module), mode=0o755)
        root.run([f"python{version}", "-m", "compileall", "-q", places[1]])
    from toolkit.rootfs import register

    register(root, tuple(_EL_STACKS))


_PYTHON3 = ("python3", "ca-certificates")

BULLSEYE = Recipe("bullseye", "bullseye", (*_PYTHON3, "python3-pip"))
BULLSEYE_PYTHON2 = Recipe(
    "bullseye-python2", "bullseye", (*_PYTHON3, "python2.7"),
    finish=_install_pip_for_python2, wheels=("pip==20.3.4",),
)
BOOKWORM = Recipe("bookworm", "bookworm", (*_PYTHON3, "python3-pip", "passwd"))
TRIXIE = Recipe("trixie", "trixie", (*_PYTHON3, "python3-pip", "passwd"))
SID = Recipe("sid", "sid", (*_PYTHON3, "python3-pip", "passwd"), arguments=suite_options("sid"))
#: A root of each of Debian's suites with its own Python 3 and pip.
OF_SUITE = {recipe.suite: recipe for recipe in (BULLSEYE, BOOKWORM, TRIXIE, SID)}
RPM = Recipe(
    "rpm", "bullseye", (*_PYTHON3, "python2.7", "dnf", "rpm", "gnupg", "make"),
    finish=_become_rpm_root, wheels=tuple(_EL_STACKS.values()), revision=5,
)
ALL = (BULLSEYE, BULLSEYE_PYTHON2, TRIXIE, RPM)
