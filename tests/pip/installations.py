# SPDX-License-Identifier: Apache-2.0
"""Throw-away installations: a real interpreter with its own site-packages, a real pip and our files.

The interpreter is a copy of the program with links to its standard library, so that nothing of the
machine's site-packages is seen and everything may be damaged.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from openssl import cache
from toolkit import interpreters, wheels

SOURCE = Path(__file__).resolve().parents[2]
HOOK = SOURCE / "src" / "pip_hook"
PROBE = (
    "import json, os, sys, sysconfig; print(json.dumps([os.path.realpath(sys.executable), "
    "os.path.realpath(sysconfig.get_path('stdlib')), sys.version_info[0]]))"
)
UNWANTED = shutil.ignore_patterns("__pycache__", "*.pyc")

PROGRAMS = {item.name: Path(item.path) for item in interpreters.find() if not item.free_threaded}


def link(source: str, target: str) -> None:
    """A second name for a file that no test changes; a copy where the cache is on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class Installation:
    """One interpreter below `root`; `python` is its program, `site` its only site directory."""

    def __init__(self, root: Path, version: str) -> None:
        facts = subprocess.run([PROGRAMS[version], "-E", "-S", "-c", PROBE], stdout=subprocess.PIPE, check=True)
        executable, library, self.major = json.loads(facts.stdout)
        self.version = version
        self.root = root
        self.python = root / "bin" / Path(executable).name
        self.python.parent.mkdir(parents=True)
        shutil.copy2(executable, self.python)
        self.site = root / "lib" / Path(library).name / "site-packages"
        self.site.mkdir(parents=True)
        for entry in Path(library).iterdir():
            if entry.name not in ("site-packages", "dist-packages"):
                (self.site.parent / entry.name).symlink_to(entry)

    def add_pip(self, version: str | None = None) -> Installation:
        """Unpack a pip from the index, or the one that came with the interpreter."""
        if version is None:
            wheel = sorted((self.site.parent / "ensurepip" / "_bundled").glob("pip-*.whl"))[-1]
        else:
            wheel = wheels.path(f"pip=={version}")
        shutil.copytree(self._unpacked(wheel), self.site, copy_function=link, dirs_exist_ok=True)
        return self

    def _unpacked(self, wheel: Path) -> str:
        """The wheel with this interpreter's byte code, from the cache: compiling takes longer than a test."""

        def make(directory: str) -> None:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(directory)
            # Some files are for other versions and do not compile; pip does not import them.
            subprocess.run([self.python, "-S", "-m", "compileall", "-q", directory], stdout=subprocess.DEVNULL, check=False)

        return cache.entry("pip-trees", f"{wheel.stem}-{self.version}-{cache.key_of(wheel.read_bytes())}", make)

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
        """pip 1.5.4 as Ubuntu 14.04 ships it: no pip._vendor, and requests is everybody's."""
        self.add_pip("1.5.4")
        vendor = self.site / "pip" / "_vendor"
        for entry in vendor.iterdir():
            if entry.name not in ("__init__.py", "__init__.pyc", "__pycache__"):
                entry.rename(self.site / entry.name)
        shutil.rmtree(vendor)
        for path in self.site.rglob("*.py"):
            text = path.read_bytes()
            changed = re.sub(rb"from pip\._vendor import", rb"import", text).replace(b"pip._vendor.", b"")
            if changed != text:
                path.unlink()  # another name of a file in the cache
                path.write_bytes(changed)
        return self

    def add_module(self) -> Installation:
        built = SOURCE / "build" / f"py{self.major}" / "_tls_bootstrap"
        shutil.copytree(built, self.site / "_tls_bootstrap", ignore=UNWANTED)
        return self

    def add_hook(self) -> Installation:
        for entry in HOOK.iterdir():
            if entry.is_dir() and entry.name != "__pycache__":
                shutil.copytree(entry, self.site / entry.name, ignore=UNWANTED)
            elif entry.suffix in (".py", ".pth", ".start"):
                shutil.copy2(entry, self.site)
        return self

    @property
    def core(self) -> Path:
        """The binary half of `_tls_bootstrap`."""
        return self.site / "_tls_bootstrap" / ("_core.so" if self.major == 2 else "_core.abi3.so")

    def run(self, *arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
        """Run the interpreter with an environment of its own; `environment` adds to it."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_RETRIES": "0",
            "PIP_CACHE_DIR": str(self.root / "cache"),
            **options.pop("environment", {}),
        }
        return subprocess.run(
            [self.python, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=200,
            cwd=options.pop("cwd", self.root),
            **options,
        )


def install_command(root: Path) -> Path:
    """Install the command below `root` as packages do; return the launcher."""
    subprocess.run(
        [sys.executable, "-m", "core.install", "command", "--destdir", root],
        cwd=SOURCE,
        env={**os.environ, "PYTHONPATH": "src"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return root / "usr" / "bin" / "tls-bootstrap"
