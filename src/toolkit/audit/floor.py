# SPDX-License-Identifier: Apache-2.0
"""The gate of the floor: what runs on the target keeps to the syntax and the standard library of 2.7.5 and 3.4.

vermin knows minor versions; this gate adds what 2.7 got between its fifth and its last release, the grammar of 3.4,
and 2.7's own compiler.
"""

from __future__ import annotations

import ast
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from openssl.errors import BuildError
from toolkit import lint
from toolkit.audit.model import Build, Gate, Verdict
from toolkit.audit.run import all_interpreters, run

#: Places whose Python runs on the target, beside the package in a build.
TARGET_SIDE = ("src/pip_hook", "src/command")

#: Added to 2.7 after 2.7.5, by the release ("What's New in Python 2.7", and the modules' own "new in version" notes).
LATE_ADDITIONS = {
    "hmac.compare_digest": "2.7.7",
    "hashlib.pbkdf2_hmac": "2.7.8",
    "hashlib.algorithms_available": "2.7.9",
    "hashlib.algorithms_guaranteed": "2.7.9",
    "ensurepip": "2.7.9",
    "ssl.SSLContext": "2.7.9",
    "ssl.create_default_context": "2.7.9",
    "ssl.match_hostname": "2.7.9",
    "ssl.CertificateError": "2.7.9",
    "ssl.OP_NO_SSLv2": "2.7.9",
    "ssl.OP_NO_SSLv3": "2.7.9",
    "ssl.Purpose": "2.7.9",
    "ssl.HAS_SNI": "2.7.9",
    "ssl.get_default_verify_paths": "2.7.9",
    "ssl._create_unverified_context": "2.7.9",
    "ssl._https_verify_certificates": "2.7.12",
    "ssl.PROTOCOL_TLS": "2.7.13",
}
#: Grammar that ast accepts for 3.4 but 3.4 did not: its feature_version knows the big changes only.
LATE_NODES = {"JoinedStr": "3.6", "FormattedValue": "3.6", "MatMult": "3.5", "NamedExpr": "3.8", "Await": "3.5", "AnnAssign": "3.6"}

COMPILE = """
import sys
for path in sys.argv[1:]:
    with open(path, "rb") as stream:
        try:
            compile(stream.read(), path, "exec")
        except SyntaxError as error:
            print("%s:%s: %s" % (path, error.lineno, error.msg))
"""


def late_names(path: Path) -> Iterator[str]:
    """Uses of names and syntax above the floor in one file, as "file:line: what"."""
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text, str(path), feature_version=(3, 4))
    except SyntaxError as error:
        yield f"{path}:{error.lineno}: not the syntax of 3.4: {error.msg}"
        return
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if type(node).__name__ in LATE_NODES:
            yield f"{path}:{line}: {type(node).__name__} needs Python {LATE_NODES[type(node).__name__]}"
        for name in _names(node):
            if name in LATE_ADDITIONS:
                yield f"{path}:{line}: {name} needs Python {LATE_ADDITIONS[name]}"


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return [f"{node.value.id}.{node.attr}"]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names] + [node.module or ""]
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return []


def scan(paths: Iterable[Path]) -> list[str]:
    """Everything above the floor in these files, by this gate's own rules and by the oldest compilers here."""
    files = sorted(paths)
    found = [text for path in files for text in late_names(path)]
    oldest = {item.version[0]: item for item in reversed(all_interpreters())}
    for major, interpreter in sorted(oldest.items()):
        done = run([interpreter.path, "-c", COMPILE, *files], {})
        if done.status != 0:
            raise BuildError(f"compiling with {interpreter.path} {done.complaint()}")
        found += [f"Python {interpreter.language} as the oldest {major}: {line}" for line in done.output.splitlines()]
    return found


def examine(build: Build) -> Verdict | None:
    """The gate on the Python half in one build, and on the hook and the command beside it."""
    paths = list(build.package.glob("*.py"))
    sources = [path for place in TARGET_SIDE for path in Path(place).rglob("*.py")]
    verdict = Verdict("floor", build.label, scan([*paths, *sources]), [f"{len(paths)} files in it, {len(sources)} beside it"])
    if build.label in ("py3", "py2"):
        command, _ = lint.checks()["vermin (2.7 and 3.4)"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            verdict.findings.append(f"vermin: {(done.stdout + done.stderr).strip()[-500:]}")
    return verdict


def control() -> Verdict:
    """Files that use what the floor lacks, one thing each."""
    planted = (
        'f"{1}"\n', "import hmac\nhmac.compare_digest\n", "from ssl import SSLContext\n", "a @ b\n", "x: int = 1\n",
        "def f(*, a): pass\n", "print((y := 1))\n", "raise ValueError from None\n", "import ensurepip\n",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        paths = []
        for number, text in enumerate(planted):
            paths.append(Path(directory, f"plant{number}.py"))
            paths[-1].write_text(text, encoding="utf-8")
        return Verdict("floor", "control", [text.replace(directory, "") for text in scan(paths)])


GATE = Gate(
    "floor",
    "only the syntax and the names of 2.7.5 and 3.4",
    examine,
    control,
    tuple(f"/plant{number}.py" for number in range(9)),
)
