# SPDX-License-Identifier: Apache-2.0
"""An import stays as cheap as it is promised to be: its instructions over those of `import ssl`, under callgrind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from toolkit import interpreters
from toolkit.bench import import_counts, setup

#: Seconds; callgrind is fifty times slower than the processor.
pytestmark = pytest.mark.timeout(600)

PRESENT = {item.name: item for item in interpreters.find()}


def too_many(language: str, tree: Path) -> list[str]:
    """The kinds of import that take more than is promised."""
    found = import_counts.ratios(PRESENT[language], tree)
    return [f"{name}: {found[name]:.3f}" for name, limit in import_counts.limits(language).items() if found[name] > limit]


@pytest.mark.parametrize("language", setup.LANGUAGES)
def test_imports_keep_to_their_goals(language: str) -> None:
    if language not in PRESENT:
        pytest.skip(f"there is no Python {language} here")
    assert set(import_counts.limits(language)) == {"import", "import and touch"}
    assert too_many(language, setup.tree(PRESENT[language])) == []


def test_a_package_that_imports_ssl_is_seen(tmp_path: Path) -> None:
    """The negative control."""
    language = next(name for name in reversed(setup.LANGUAGES) if name in PRESENT)
    tree = tmp_path / "tree"
    shutil.copytree(setup.tree(PRESENT[language]), tree)
    start = tree / "_tls_bootstrap" / "__init__.py"
    start.write_text(f"import ssl\n{start.read_text(encoding='utf-8')}", encoding="utf-8")
    subprocess.run([PRESENT[language].path, "-m", "compileall", "-q", tree], check=True)
    complaints = too_many(language, tree)
    assert [line.partition(":")[0] for line in complaints] == ["import", "import and touch"]
