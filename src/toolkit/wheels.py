# SPDX-License-Identifier: Apache-2.0
"""The few wheels the roots and loopback indexes need, from the package index, pinned by digest."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from toolkit import tools
from toolkit.cache import cached
from toolkit.commands import run

#: File name and SHA-256 of each wheel.
_WHEELS = {
    "pip==1.5.4": (
        "pip-1.5.4-py2.py3-none-any.whl", "fb7282556a42e84464f2e963a859ac4012d8134ba6218b70c1d82d145fcfa82f",
    ),
    "pip==9.0.3": (
        "pip-9.0.3-py2.py3-none-any.whl", "c3ede34530e0e0b2381e7363aded78e0c33291654937e7373032fda04e8803e5",
    ),
    "pip==18.1": (
        "pip-18.1-py2.py3-none-any.whl", "7909d0a0932e88ea53a7014dfd14522ffef91a464daaaf5c573343852ef98550",
    ),
    "pip==20.3.4": (
        "pip-20.3.4-py2.py3-none-any.whl", "217ae5161a0e08c0fb873858806e3478c9775caffce5168b50ec885e358c199d",
    ),
    "pip==21.2.3": (
        "pip-21.2.3-py3-none-any.whl", "895df6014c2f02f9d278a8ad6e31cdfd312952b4a93c3068d0556964f4490057",
    ),
    "pip==25.1.1": (
        "pip-25.1.1-py3-none-any.whl", "2913a38a2abf4ea6b64ab507bd9e967f3b53dc1ede74b01b0931e1ce548751af",
    ),
    "pip==26.3": (
        "pip-26.3-py3-none-any.whl", "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13",
    ),
    "six==1.16.0": (
        "six-1.16.0-py2.py3-none-any.whl", "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
    ),
}

#: What the demo's indexes serve: pure Python, small, for 2.7 and 3.
SERVED = "six==1.16.0"


def digest(requirement: str) -> str:
    """SHA-256 (hex) of a wheel of the list; KeyError for one that is not in it."""
    return _WHEELS[requirement][1]


def _fetch(requirement: str, target: Path) -> None:
    name, sha256 = _WHEELS[requirement]
    with tempfile.TemporaryDirectory() as directory:
        pinned = Path(directory, "requirements.txt")
        pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="ascii")
        # The caller's own environment: it may name a mirror, a proxy or a bundle of authorities.
        run(
            [tools.python(), "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
             "--require-hashes", "--dest", directory, "-r", pinned],
            environment=os.environ,
        )
        target.write_bytes(Path(directory, name).read_bytes())


def path(requirement: str) -> Path:
    """The wheel as a file with its right name, downloaded and checked when it is not cached yet."""
    name, sha256 = _WHEELS[requirement]
    return cached("wheels", sha256, name, lambda target: _fetch(requirement, target))
