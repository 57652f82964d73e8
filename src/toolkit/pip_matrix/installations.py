# SPDX-License-Identifier: Apache-2.0
"""Throw-away installations: a real interpreter with its own site-packages, a real pip and our files.

The interpreter is a copy of the program with links to its standard library, so that nothing of the
machine's site-packages is seen and everything may be damaged.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.install import HOOK_LINE
from openssl import cache
from openssl.errors import BuildError
from toolkit import interpreters, wheels

SOURCE = Path(__file__).resolve().parents[3]
HOOK = SOURCE / "src" / "pip_hook"
PROBE = (
    "import json, os, sys, sysconfig; print(json.dumps([os.path.realpath(sys.executable), "
    "os.path.realpath(sysconfig.get_path('stdlib')), sys.version_info[0]]))"
)
UNWANTED = shutil.ignore_patterns("__pycache__", "*.pyc")


@functools.cache
def programs() -> dict[str, Path]:
    """Version ("3.9") -> interpreter, of those that `make test` uses."""
    return {item.name: Path(item.path) for item in interpreters.find() if not item.free_threaded}



def link(source: str, target: str) -> None:
    """A second name for a file that no test changes; a copy where the cache is on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class Installation:
    """One interpreter below `root`; `python` is its program, `site` its only site directory."""

    def __init__(self, root: Path, version: str) -> None:
        facts = subprocess.run([programs()[version], "-E", "-S", "-c", PROBE], stdout=subprocess.PIPE, check=True)
        executable, library, self.major = json.loads(facts.stdout)
        self.version = version
        self.root = root
        self.python = root / "bin" / Path(executable).name
        self.python.parent.mkdir(parents=True)
        shutil.copy2(executable, self.python)
        self._library = Path(library)
        self.site = root / "lib" / self._library.name / "site-packages"
        self.site.mkdir(parents=True)
        for entry in self._library.iterdir():
            if entry.name not in ("site-packages", "dist-packages"):
                (self.site.parent / entry.name).symlink_to(entry)

    def add_pip(self, version: str | None = None, patch: Path | None = None) -> Installation:
        """Unpack a pip from the index, or the one that came with the interpreter; ``patch`` is applied to it."""
        if version is None:
            wheel = sorted(self._library.glob("ensurepip/_bundled/pip-*.whl"))[-1]
        else:
            wheel = wheels.path(f"pip=={version}")
        shutil.copytree(self._unpacked(wheel, patch), self.site, copy_function=link, dirs_exist_ok=True)
        return self

    def _unpacked(self, wheel: Path, patch: Path | None) -> str:
        """The wheel with this interpreter's byte code, from the cache: compiling takes longer than a test."""

        def make(directory: str) -> None:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(directory)
            if patch:
                apply_patch(patch, directory)
            # Some files are for other versions and do not compile; pip does not import them.
            subprocess.run([self.python, "-S", "-m", "compileall", "-q", directory], stdout=subprocess.DEVNULL, check=False)

        key = cache.key_of(wheel.read_bytes(), *([patch.read_bytes()] if patch else []))
        return str(cache.entry("pip-trees", f"{wheel.stem}-{self.version}-{key}", make))

    def add_debundled_pip(self, version: str) -> Installation:
        """pip as Debian ships it up to bullseye: its dependencies are top-level modules in a wheel."""
        self.add_pip(version)
        vendor = self.site / "pip" / "_vendor"
        shelf = self.root / "share" / "python-wheels"
        shelf.mkdir(parents=True)
        with zipfile.ZipFile(shelf / "dependencies-1.0-py2.py3-none-any.whl", "w") as archive:
            for path in sorted(vendor.rglob("*")):
                name = path.relative_to(vendor).as_posix()
                if path.is_dir() or path.suffix == ".pyc" or name == "__init__.py":
                    continue
                data = path.read_bytes()
                if path.suffix == ".py":
                    data = re.sub(rb"from pip\._vendor import", rb"import", data)
                    data = data.replace(b"pip._vendor.", b"")
                archive.writestr(name, data)
        text = (vendor / "__init__.py").read_text(encoding="utf-8")
        text = text.replace("DEBUNDLED = False", "DEBUNDLED = True")
        text = re.sub(r"^WHEEL_DIR = .*$", f"WHEEL_DIR = {str(shelf)!r}", text, flags=re.MULTILINE)
        shutil.rmtree(vendor)
        vendor.mkdir()
        (vendor / "__init__.py").write_text(text, encoding="utf-8")
        return self

    def add_devendored_pip(self) -> Installation:
        """pip 1.5.4 as Ubuntu 14.04 ships it: no pip._vendor; requests 2.2.1 and urllib3 are everybody's."""
        self.add_pip("1.5.4")
        vendor = self.site / "pip" / "_vendor"
        for entry in vendor.iterdir():
            if entry.name not in ("__init__.py", "__init__.pyc", "__pycache__"):
                entry.rename(self.site / entry.name)
        shutil.rmtree(vendor)
        packages = self.site / "requests" / "packages"
        (packages / "urllib3").rename(self.site / "urllib3")
        self._rewrite(packages / "__init__.py", lambda text: text.replace(b"from . import urllib3", b""))
        if self.major == 3:
            # A package of its own there, and pip 1.5.4's copy is too old for every Python from 3.5 on.
            (self.site / "pkg_resources.py").unlink()
            with zipfile.ZipFile(next(self._library.glob("ensurepip/_bundled/setuptools-*.whl"))) as archive:
                archive.extractall(self.site, [name for name in archive.namelist() if name.startswith("pkg_resources/")])
        for path in self.site.rglob("*.py"):
            if path.parts[len(self.site.parts)] == "requests":
                self._rewrite(path, lambda text: re.sub(rb"from \.+(packages\.)?urllib3", rb"from urllib3", text))
            self._rewrite(path, lambda text: re.sub(rb"from pip\._vendor import", rb"import", text).replace(b"pip._vendor.", b""))
        return self

    @staticmethod
    def _rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
        text = path.read_bytes()
        changed = change(text)
        if changed != text:
            path.unlink()  # another name of a file in the cache
            path.write_bytes(changed)

    def add_wheels(self, *requirements: str) -> Installation:
        """Install wheels of the pinned list (toolkit.wheels)."""
        for requirement in requirements:
            with zipfile.ZipFile(wheels.path(requirement)) as archive:
                archive.extractall(self.site)
        return self

    def add_module(self, flavour: str = "bundled") -> Installation:
        built = SOURCE / "build" / interpreters.FLAVOURS[flavour][0] / f"py{self.major}" / "_tls_bootstrap"
        shutil.copytree(built, self.site / "_tls_bootstrap", ignore=UNWANTED)
        return self

    def add_hook(self) -> Installation:
        for entry in HOOK.iterdir():
            if entry.is_dir() and entry.name != "__pycache__":
                shutil.copytree(entry, self.site / entry.name, ignore=UNWANTED)
            elif entry.suffix == ".py" or (entry.suffix == ".start" and self.major == 3):  # as packages have it
                shutil.copy2(entry, self.site)
        shutil.copy2(HOOK / HOOK_LINE[self.major], self.site / HOOK_LINE[3])
        return self

    def remove_hook(self) -> None:
        """Undo ``add_hook``."""
        for entry in self.site.glob("_tls_bootstrap_pip*"):
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    @property
    def core(self) -> Path:
        """The binary half of `_tls_bootstrap`."""
        return self.site / "_tls_bootstrap" / ("_core.so" if self.major == 2 else "_core.abi3.so")

    def variables(self) -> dict[str, str]:
        """A clean environment for this interpreter's pip."""
        return {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_RETRIES": "0",
            "PIP_CACHE_DIR": str(self.root / "cache"),
        }

    def run(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the interpreter with an environment of its own; `environment` adds to it."""
        environment = {**self.variables(), **options.pop("environment", {})}
        return subprocess.run(
            [self.python, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=200,
            cwd=options.pop("cwd", self.root),
            **options,
        )


def apply_patch(patch: Path, directory: str) -> None:
    """Apply a patch as a distribution does, without fuzz. Raises BuildError when it does not apply.

    ``directory`` has what a wheel has: pip itself, which is below src in the sources since pip 10.
    """
    strip = "-p2" if b"+++ b/src/pip/" in patch.read_bytes() else "-p1"
    done = subprocess.run(
        ["patch", strip, "--fuzz=0", "--no-backup-if-mismatch", "--forward", "-d", directory, "-i", patch.resolve()],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    if done.returncode or "offset" in done.stdout:
        raise BuildError(f"{patch} does not apply to the pristine source:\n{done.stdout}")


def install_command(root: Path) -> Path:
    """Install the command below `root` as packages do; return the launcher."""
    _install("command", "--destdir", root)
    return root / "usr" / "bin" / "tls-bootstrap"


def install_hook(root: Path, site: str) -> None:
    """Install the hook into the site directory ``site`` of the system below ``root`` as packages do."""
    _install("hook", "--destdir", root, "--sitedir", site)


def _install(*words: str | Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "core.install", *words],
        cwd=SOURCE,
        env={**os.environ, "PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
