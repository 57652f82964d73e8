# SPDX-License-Identifier: Apache-2.0
"""What the hook costs every start of an interpreter: CPU time with and without it, in turns, so that load hits both.

The systems' own interpreters are started in throw-away roots of their distributions, where the hook lies and is compiled
as by its package; some of this machine's in throw-away installations. `starts` is what starts them.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit import roots
from toolkit.commands import CommandError, Completed, run
from toolkit.pip_matrix import starts
from toolkit.pip_matrix.installations import Installation, install_hook, programs
from toolkit.pip_matrix.pips import targets
from toolkit.pip_matrix.places import DISTRIBUTION, recipe

PYTHONS = ("2.7", "3.6", "3.9", "3.13")
ROUNDS = 40
#: What the hook may cost, in CPU milliseconds.
LIMIT = 0.5
#: Files that do nothing. From 3.13 on the first .pth file makes `site` import a codec, and on 3.15 the first .start file
#: `pkgutil` and `re`; the others do not look at .start files.
IDLE = {"idle.pth": "# nothing\n", "idle.start": "os:getpid\n"}
#: What a system's Python often has already.
NEIGHBOUR = "import os; enabled = os.environ.get('NO_SUCH_VARIABLE', 'local') == 'remote'\n"
BARE, ANY, HOOK, OTHER, BOTH = "bare", "any", "hook", "other", "both"


@dataclass
class Cost:
    """Medians of CPU milliseconds for one interpreter."""

    python: str
    #: Whose it is, with the .pth files that are there already.
    system: str
    without: float
    #: More than that: a .pth file with nothing but a comment (on 3.15 a .start file that does
    #: nothing too), and the hook.
    empty_pth: float
    hook: float
    #: The same for the hook where another package has a .pth file with an import line, against that alone.
    hook_beside: float

    def __str__(self) -> str:
        verdict = "within" if self.hook <= LIMIT else "MORE THAN"
        kind = ".pth" if int(self.python.split(".")[1]) < 15 else ".pth and .start"
        return (
            f"{self.python} {self.system}: {self.hook:.2f} ms, {verdict} {LIMIT}, of which {self.empty_pth:.2f} any {kind} "
            f"file costs and {self.hook - self.empty_pth:.2f} are ours; {self.hook_beside:.2f} beside another package's .pth "
            f"file (the start: {self.without:.1f})"
        )


@dataclass(frozen=True)
class Subject:
    """An interpreter with the hook in its site directory; ``program`` and ``site`` are paths as it sees them."""

    python: str
    system: str
    program: str
    site: str
    #: Where what it sees begins.
    top: Path
    #: Runs a program beside it, and a Python 3 for the driver there.
    run: Callable[[Sequence[str]], Completed]
    driver: str


def compare(subject: Subject, variants: Mapping[str, Sequence[str]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """CPU milliseconds of so many starts, for each variant: the files that its site directory alone has.

    These files lie on the shelf beside the site directory. Raises CommandError when a
    start fails or prints anything, or when the hook's finder is not in just the variants that have the hook.
    """
    plan = {
        "program": subject.program, "site": subject.site, "shelf": shelf(subject.site), "rounds": rounds, "variants": variants,
    }
    driver = f"{shelf(subject.site)}/{Path(starts.__file__).name}"
    shutil.copy(starts.__file__, subject.top / driver.lstrip("/"))
    output = subject.run([subject.driver, "-I", "-S", driver, json.dumps(plan)]).output
    try:
        found = json.loads(output)
    except ValueError:
        raise CommandError(f"{subject.python} {subject.system}: a start printed {output.splitlines()[0]}") from None
    finders = {variant: seen["finders"] for variant, seen in found.items()}
    expected = {variant: finders[BARE] + (variant in (HOOK, BOTH)) for variant in variants}
    if finders != expected:
        raise CommandError(f"{subject.python} {subject.system}: sys.meta_path has {finders} entries, not {expected}")
    return {variant: seen["times"] for variant, seen in found.items()}


def shelf(site: str) -> str:
    """Where what is not in this site directory lies in the meantime: on the same file system."""
    return f"{site}.shelf"


def put_on_shelf(subject: Subject) -> list[str]:
    """Take the hook out of the site directory; returns its files and directories there."""
    site, away = (subject.top / path.lstrip("/") for path in (subject.site, shelf(subject.site)))
    (away / "__pycache__").mkdir(parents=True)
    found = [path for pattern in ("_tls_bootstrap_pip*", "__pycache__/_tls_bootstrap_pip*") for path in sorted(site.glob(pattern))]
    names = [str(path.relative_to(site)) for path in found]
    for name in names:
        (site / name).rename(away / name)
    return names


def cost(subject: Subject) -> Cost:
    """What the hook costs this interpreter."""
    hook = put_on_shelf(subject)
    away = subject.top / shelf(subject.site).lstrip("/")
    for name, text in {**IDLE, "another.pth": NEIGHBOUR}.items():
        (away / name).write_text(text, encoding="ascii")
    variants = {BARE: [], ANY: list(IDLE), HOOK: hook, OTHER: ["another.pth"], BOTH: ["another.pth", *hook]}
    times = compare(subject, variants)
    usual = {variant: statistics.median(found) for variant, found in times.items()}
    more = [usual[with_it] - usual[without] for with_it, without in ((ANY, BARE), (HOOK, BARE), (BOTH, OTHER))]
    return Cost(subject.python, subject.system, usual[BARE], *more)


def installed(made: Installation) -> Subject:
    """The interpreter of an installation, with the hook."""
    made.add_hook()
    # Byte code is there on a system, where a package manager or root made it.
    made.run("-m", "compileall", "-q", str(made.site), check=True)
    beside = functools.partial(run, environment=made.variables())
    return Subject(made.version, "throw-away", str(made.python), str(made.site), Path("/"), beside, sys.executable)


def in_root(python: str, suite: str, program: str, root: roots.Root) -> Subject:
    """A distribution's own interpreter in a root of it, with the hook as its package installs it."""
    of_python2 = python.startswith("2")
    site = f"/usr/lib/python{'2.7' if of_python2 else '3'}/dist-packages"
    outside = root.path / site.lstrip("/")
    there = "".join(f", has {path.name}" for path in sorted(outside.glob("*.pth")))
    install_hook(root.path, site)
    paths = [path.relative_to(outside) for path in sorted(outside.rglob("*.py"))]
    sources = [f"{site}/{path}" for path in paths if path.parts[0].startswith("_tls_bootstrap_pip")]
    root.run([*([program, "-E", "-s", "-m", "py_compile"] if of_python2 else ["py3compile"]), *sources])
    return Subject(python, f"Debian {suite}{there}", program, site, root.path, root.run, "/usr/bin/python3")


def _systems() -> Iterator[tuple[str, str, str, roots.Recipe]]:
    """Python, suite, program and root of the distributions' own interpreters."""
    yield "2.7", "bullseye", "/usr/bin/python2.7", roots.BULLSEYE_PYTHON2
    for target in targets():
        if target.kind == DISTRIBUTION:
            yield target.python, target.pip, target.program or "/usr/bin/python3", recipe(target.pip)


def measure(work: Path) -> Iterator[Cost]:
    """The cost on each of the interpreters that are there; roots and installations are made in ``work``."""
    with tempfile.TemporaryDirectory(dir=work, prefix="places-") as directory:
        if os.geteuid() != 0:
            print("the systems' own interpreters are not started: their roots need root")
        for python, suite, program, made_of in _systems() if os.geteuid() == 0 else ():
            name = f"{suite}-{python}"
            # A copy: no system lies on an overlay, and starts seem to be dearer on one.
            root = roots.unpack(made_of, Path(directory, name), work / f"start-{name}.log", copy=True)
            try:
                yield cost(in_root(python, suite, program, root))
            finally:
                root.remove()
        for version in PYTHONS:
            if version in programs():
                yield cost(installed(Installation(Path(directory, version), version)))
