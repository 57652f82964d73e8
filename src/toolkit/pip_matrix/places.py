# SPDX-License-Identifier: Apache-2.0
"""Where the pips of the matrix are run: throw-away installations of an interpreter, and roots of distributions."""

from __future__ import annotations

import abc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit import published, roots
from toolkit.pip_matrix.installations import SOURCE, Installation, install_command, install_hook, programs
from toolkit.roots import Recipe

HOOK, RUNNER, PATCHED = "hook", "runner", "patched"
PYPI, DEVENDORED, DEBUNDLED, DISTRIBUTION = "PyPI's", "de-vendored", "debundled", "Debian's"
TIME_LIMIT = 120


@dataclass(frozen=True)
class Target:
    """One pip of the matrix. ``pip`` is its version; for a distribution's own pip the suite of the release."""

    python: str
    pip: str
    kind: str = PYPI
    #: Stands for its generation: every operation is run with it.
    generation: str = ""
    #: The redistributor's patch for it, below the top of the project.
    patch: str = ""
    #: A distribution's other interpreter that runs its pip; by default /usr/bin/pip3 is run.
    program: str = ""

    @property
    def label(self) -> str:
        """What a person calls it."""
        return f"{self.python} pip {self.pip}" + ("" if self.kind == PYPI else f" {self.kind}")


@dataclass
class Done:
    """A finished pip."""

    code: int
    output: str

    def last_line(self) -> str:
        """The last thing that looks like a reason."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = [line for line in lines if "rror" in line and "Traceback" not in line]
        about_tls = [line for line in lines if "certificate" in line.lower() or "SSLError" in line]
        return (about_tls or errors or lines or [""])[-1][:400]


class Place(abc.ABC):
    """One pip with our files beside it. ``mode`` is how pip comes to use them. Remove it with ``remove``."""

    target: Target
    #: The file that a trace must name.
    core: str

    @abc.abstractmethod
    def workspace(self) -> tuple[Path, str]:
        """A new empty directory for one cell: its path for us and its path for pip."""

    @abc.abstractmethod
    def file(self, directory: tuple[Path, str], name: str, data: bytes, mode: int = 0o644) -> str:
        """Make a file in a workspace; returns its path for pip."""

    @abc.abstractmethod
    def run(
        self, mode: str, words: Sequence[str], environment: Mapping[str, str], directory: tuple[Path, str],
        files: Mapping[str, bytes] | None = None,
    ) -> Done:
        """Run pip in ``mode``; ``files`` (file -> content) is what it alone finds at the end of these files of the system."""

    @abc.abstractmethod
    def remove(self) -> None:
        """Remove everything."""


class LocalPlace(Place):
    """An interpreter of this machine with its own site-packages."""

    def __init__(self, target: Target, work: Path, launcher: Path, patch: Path | None) -> None:
        self.target = target
        self._top = Path(tempfile.mkdtemp(dir=work, prefix=f"{target.python}-{target.pip}-"))
        self._launcher = launcher
        self.installation = made = Installation(self._top / "python", target.python)
        if target.kind == DEVENDORED:
            made.add_devendored_pip()
        elif target.kind == DEBUNDLED:
            made.add_debundled_pip(target.pip)
        else:
            made.add_pip(target.pip, patch)
        made.add_module()
        self.core = str(made.core)
        self._mode = PATCHED

    def workspace(self) -> tuple[Path, str]:
        path = Path(tempfile.mkdtemp(dir=self._top))
        return path, str(path)

    def file(self, directory: tuple[Path, str], name: str, data: bytes, mode: int = 0o644) -> str:
        path = directory[0] / name
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    def run(
        self, mode: str, words: Sequence[str], environment: Mapping[str, str], directory: tuple[Path, str],
        files: Mapping[str, bytes] | None = None,
    ) -> Done:
        if mode != self._mode:
            self.installation.remove_hook()
            if mode == HOOK:
                self.installation.add_hook()
            self._mode = mode
        command = [str(self.installation.python), "-m", "pip", *words]
        if mode == RUNNER:
            command = [str(self._launcher), "pip", "--python", str(self.installation.python), *words]
        for path, data in (files or {}).items():
            copy = self.file(directory, Path(path).name, Path(path).read_bytes() + data)
            command = [*_UNSHARE, *([] if os.geteuid() == 0 else ["--map-root-user"]), *_BIND, copy, path, *command]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=directory[0], timeout=TIME_LIMIT, check=False,
            env={**self.installation.variables(), "HOME": directory[1], "TMPDIR": directory[1], **environment},
        )
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"))

    def remove(self) -> None:
        shutil.rmtree(self._top)


_UNSHARE = ["unshare", "--mount", "--propagation", "private"]
_BIND = ["sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"']


def recipe(suite: str) -> Recipe:
    """Of the root with this release's pip."""
    if suite != "sid":
        return roots.OF_SUITE[suite]
    packages = ("python3", "ca-certificates", "python3-pip", "passwd", "python3.15")
    return Recipe("sid-pip", suite, packages, arguments=roots.suite_options(suite))


class RootPlace(Place):
    """A root of a Debian release with that release's own Python and pip; needs root and ``make portable``."""

    _site = "/usr/lib/python3/dist-packages"

    def __init__(self, target: Target, work: Path) -> None:
        self.target = target
        name = f"root-{target.pip}-{target.python}"
        self._root = roots.unpack(recipe(target.pip), work / name, work / f"{name}.log")
        self._count = 0
        source = published.portable_tree() / "py3" / "_tls_bootstrap"
        ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(source, self._inside(f"{self._site}/_tls_bootstrap"), ignore=ignore)
        install_command(self._root.path)
        self.core = f"{self._site}/_tls_bootstrap/_core.abi3.so"
        self._root.make_directory("/tmp/cells", mode=0o755)
        self._mode = PATCHED

    def _inside(self, path: str) -> Path:
        return self._root.path / path.lstrip("/")

    def workspace(self) -> tuple[Path, str]:
        self._count += 1
        inside = f"/tmp/cells/{self._count}"
        return self._root.make_directory(inside, mode=0o700, user=roots.USER), inside

    def file(self, directory: tuple[Path, str], name: str, data: bytes, mode: int = 0o644) -> str:
        inside = f"{directory[1]}/{name}"
        self._root.write(inside, data, mode=mode, user=roots.USER)
        return inside

    def run(
        self, mode: str, words: Sequence[str], environment: Mapping[str, str], directory: tuple[Path, str],
        files: Mapping[str, bytes] | None = None,
    ) -> Done:
        if mode != self._mode:
            for entry in self._inside(self._site).glob("_tls_bootstrap_pip*"):
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            if mode == HOOK:
                install_hook(self._root.path, self._site)
            self._mode = mode
        program = self.target.program
        command = [program, "-m", "pip"] if program else ["/usr/bin/pip3"]
        if mode == RUNNER:
            command = ["/usr/bin/tls-bootstrap", "pip", *(["--python", program] if program else [])]
        variables = {
            "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_RETRIES": "0",
            "TMPDIR": directory[1], **environment,
        }
        kept = {path: self._inside(path).read_bytes() for path in files or {}}
        try:
            for path, data in (files or {}).items():
                self._inside(path).write_bytes(kept[path] + data)
            done = self._root.run(
                [*command, *words], user=roots.USER, environment=variables, timeout=TIME_LIMIT, check=False
            )
        finally:
            for path, data in kept.items():
                self._inside(path).write_bytes(data)
        return Done(done.status, done.output)

    def remove(self) -> None:
        self._root.remove()


class Unavailable(Exception):
    """This pip cannot be run here; the text says why."""


class Places:
    """Makes places, and removes those that are left at the end. Use it in a ``with`` block."""

    def __init__(self, work: Path) -> None:
        for left in work.glob("places-*"):  # by a run that was killed; the caller holds the lock
            roots.remove_tree(left)
        self._work = Path(tempfile.mkdtemp(dir=work, prefix="places-"))
        self._launcher = install_command(self._work / "command")

    def __enter__(self) -> Places:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._work)

    def make(self, target: Target, patched: bool = False) -> Place:
        """The place of this pip. Raises Unavailable where it cannot be."""
        if target.kind == DISTRIBUTION:
            if os.geteuid() != 0:
                raise Unavailable("roots of distributions need root; make demo proves bullseye's and trixie's pip")
            if not (published.portable_tree() / "py3").is_dir():
                raise Unavailable("there are no portable binaries: run make portable")
            return RootPlace(target, self._work)
        if target.python not in programs():
            raise Unavailable(f"this machine has no Python {target.python}: make test names those that it finds")
        return LocalPlace(target, self._work, self._launcher, SOURCE / target.patch if patched else None)
