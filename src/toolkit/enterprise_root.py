# SPDX-License-Identifier: Apache-2.0
"""A root in which rpm and dnf are real and every Python of Enterprise Linux 7 to 10 is at hand.

Debian 12's content is one package there (toolkit.rootfs); the interpreters are copies of those that pyenv built on
this machine, with EL's directories for modules on their path. It proves transactions, dependencies, scriptlets,
signatures and that the published packages work under their Pythons. It does not prove EL's own content.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from toolkit import interpreters, roots, wheels
from toolkit.commands import run
from toolkit.releases import Release
from toolkit.roots import Recipe, Root

#: Version -> pip of that stack on EL. The others keep the pip that came with them.
_PIPS = {"2.7": "pip==9.0.3", "3.6": "pip==9.0.3", "3.9": "pip==21.2.3"}
VERSIONS = ("2.7", "3.6", "3.8", "3.9", "3.11", "3.12")
#: Left out of the copies: what no module of ours needs, and most of the size.
_UNNEEDED = ("test", "tests", "idlelib", "lib2to3", "tkinter", "ensurepip", "config-3*", "*.a", "turtledemo")
_PLACE = "/opt/python"


class MissingInterpreters(RuntimeError):
    """This machine lacks a Python that the root must have; the text names it."""


def program(version: str) -> str:
    """The interpreter of a version inside the root."""
    return f"/usr/bin/python{version}"


def _found() -> dict[str, Path]:
    """Version -> the installation's directory on this machine, of interpreters that stand alone in one."""
    found = {}
    for item in interpreters.find():
        prefix = Path(item.path).resolve().parents[1]
        if item.language in VERSIONS and not item.free_threaded and str(prefix) not in ("/usr", "/usr/local"):
            found[item.language] = prefix
    if missing := [version for version in VERSIONS if version not in found]:
        raise MissingInterpreters(
            f"Python {', '.join(missing)}: byte code for Enterprise Linux is compiled by the Python it is for, and this "
            f"machine has no installation of it in a directory of its own (pyenv install {' '.join(missing)}, or TEST_PYTHONS)"
        )
    return found


def available() -> str:
    """Empty when all interpreters are there, else why not."""
    try:
        _found()
    except MissingInterpreters as error:
        return str(error)
    return ""


def _copy(root: Root, version: str, origin: Path) -> None:
    target = root.path / _PLACE.lstrip("/") / version
    leave = shutil.ignore_patterns(*_UNNEEDED)
    shutil.copytree(origin / "bin", target / "bin", symlinks=True, ignore=shutil.ignore_patterns("pip*", "2to3*", "idle*"))
    shutil.copytree(origin / "lib", target / "lib", symlinks=True, ignore=leave)
    # An interpreter that was built shared looks for its library where it was built.
    root.write(f"/etc/ld.so.conf.d/python{version}.conf", f"{_PLACE}/{version}/lib\n")
    library = target / "lib" / f"python{version}"
    shutil.rmtree(library / "site-packages")
    (library / "site-packages").mkdir()
    places = [f"/usr/lib64/python{version}/site-packages", f"/usr/lib/python{version}/site-packages"]
    for place in places:
        (root.path / place.lstrip("/") / ("" if version == "2.7" else "__pycache__")).mkdir(parents=True)
    lines = "".join(f"import site; site.addsitedir('{place}')\n" for place in places)
    (library / "site-packages" / "el-site-packages.pth").write_text(lines, encoding="ascii")
    (root.path / "usr" / "bin" / f"python{version}").symlink_to(f"{_PLACE}/{version}/bin/python{version}")
    _install_pip(root, version, origin, places[1])
    root.run(["ldconfig"])
    root.run([program(version), "-m", "compileall", "-q", places[1]])


def _install_pip(root: Root, version: str, origin: Path, place: str) -> None:
    target = root.path / place.lstrip("/")
    if version in _PIPS:
        run(["/usr/bin/python3", "-m", "zipfile", "-e", wheels.path(_PIPS[version]), target])
        module = "pip._internal.cli.main" if version == "3.9" else "pip"
    else:
        packages = origin / "lib" / f"python{version}" / "site-packages"
        for part in [packages / "pip", *packages.glob("pip-*.dist-info")]:
            shutil.copytree(part, target / part.name, ignore=shutil.ignore_patterns("__pycache__"))
        module = "pip._internal.cli.main"
    root.write(f"/usr/bin/pip{version}", roots.launcher(program(version), module), mode=0o755)


def _finish(root: Root) -> None:
    for place in ("/usr/share/licenses", "/etc/pki/rpm-gpg", "/etc/yum.repos.d", "/usr/libexec"):
        (root.path / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
    roots.configure_rpm(root)
    # dnf stays with the Python it came with; the names without a version become EL's.
    launcher = root.path / "usr" / "bin" / "dnf"
    launcher = launcher.parent / launcher.readlink() if launcher.is_symlink() else launcher
    text = launcher.read_text(encoding="utf-8")
    launcher.write_text(text.replace("#!/usr/bin/python3\n", "#!/usr/bin/python3.11-debian\n"), encoding="utf-8")
    debian = root.path / "usr" / "bin" / "python3.11"
    debian.rename(debian.with_name("python3.11-debian"))
    (root.path / "usr" / "bin" / "python3").unlink()
    (root.path / "usr" / "bin" / "python3").symlink_to("python3.11-debian")
    for version, origin in _found().items():
        _copy(root, version, origin)
    from toolkit.rootfs import register

    # /bin is a link there; `become` makes the others.
    register(root, VERSIONS, ["/bin/sh", "/usr/bin/python2", "/usr/libexec/platform-python"])


def become(root: Root, release: Release) -> None:
    """Let the names without a version lead to a release's own Pythons."""
    stack = release.system_python3
    names = {"usr/bin/python3": program(stack.version), "usr/bin/pip3": f"/usr/bin/pip{stack.version}"}
    names["usr/libexec/platform-python"] = program(stack.version)
    if release.python2:
        names |= {"usr/bin/python2": program("2.7"), "usr/bin/pip2": "/usr/bin/pip2.7"}
    for name, target in names.items():
        (root.path / name).unlink(missing_ok=True)
        (root.path / name).symlink_to(target)
    keep = {stack.version for stack in release.stacks}
    for version in set(VERSIONS) - keep:
        for name in (f"usr/bin/python{version}", f"usr/bin/pip{version}"):
            (root.path / name).unlink()


def recipe() -> Recipe:
    """The root's recipe; part of its key is which interpreters are copied."""
    found = _found()
    return Recipe(
        "el-root", "bookworm",
        ("python3", "ca-certificates", "dnf", "rpm", "gnupg", "make", "libreadline8", "libsqlite3-0", "libffi8", "libncursesw6",
         "zlib1g", "libbz2-1.0", "liblzma5", "libexpat1", "libssl3"),
        finish=_finish, wheels=tuple(sorted(set(_PIPS.values()))), revision=3,
        inputs=tuple(sorted(str(prefix) for prefix in found.values())),
    )  # fmt: skip
