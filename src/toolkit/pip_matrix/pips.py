# SPDX-License-Identifier: Apache-2.0
"""The pips of the matrix: those of the supported releases and the ones that users upgrade to. Facts, no code.

``NEWEST`` is a pinned version. Each generation (how a pip reaches `ssl`) is represented by one pip or two, with which
every operation is run; the others download.
"""

from __future__ import annotations

from toolkit.pip_matrix.places import DEBUNDLED, DEVENDORED, DISTRIBUTION, Target

NEWEST = "26.3"

#: Whose pips they are -> where its patches for them lie, and the Python and pip of its releases.
_REDISTRIBUTED = {
    "rpm": (
        ("2.7", "8.1.2"), ("2.7", "9.0.3"), ("3.6", "9.0.3"), ("3.8", "19.3.1"), ("3.9", "20.2.4"), ("3.9", "21.2.3"),
        ("3.11", "22.3.1"), ("3.12", "23.2.1"), ("3.12", "23.3.2"),
    ),
    "debian": (
        ("2.7", "1.5.4"), ("2.7", "8.1.1"), ("3.6", "8.1.1"), ("2.7", "9.0.1"), ("3.6", "9.0.1"), ("2.7", "20.0.2"),
        ("3.8", "20.0.2"), ("2.7", "20.3.4"), ("3.9", "20.3.4"), ("3.10", "22.0.2"), ("3.11", "23.0.1"), ("3.12", "24.0"),
        ("3.13", "25.1.1"),
    ),
}

_PIPS = {
    "2.7": ("1.5.4", "8.1.1", "8.1.2", "9.0.1", "9.0.3", "18.1", "20.0.2", "20.3.4"),
    "3.6": ("8.1.1", "9.0.1", "9.0.3", "18.1", "20.0.2", "20.3.4", "21.2.3", "21.3.1"),
    "3.7": ("20.3.4", "24.0"),
    "3.8": ("19.3.1", "20.0.2", "24.0"),
    "3.9": ("20.2.4", "20.3.4", "21.2.3", "25.1.1"),
    "3.10": ("22.0.2", "24.0", NEWEST),
    "3.11": ("22.3.1", "23.0.1", "25.1.1"),
    "3.12": ("23.2.1", "23.3.2", "24.0", "24.2", NEWEST),
    "3.13": ("24.2", "25.1.1", NEWEST),
}
_OTHERS = (
    Target("2.7", "1.5.4", DEVENDORED, generation="1.5.4 over top-level requests"),
    Target("3.6", "1.5.4", DEVENDORED),
    Target("3.9", "20.3.4", DEBUNDLED),
    Target("3.9", "bullseye", DISTRIBUTION, generation="debundled"),
    Target("3.11", "bookworm", DISTRIBUTION),
    Target("3.13", "trixie", DISTRIBUTION, generation="Debian's with truststore"),
    Target("3.14", "sid", DISTRIBUTION),
    Target("3.15", "sid", DISTRIBUTION, program="/usr/bin/python3.15"),  # reads the .start file (PEP 829), not the .pth
)
_GENERATIONS = {
    ("2.7", "1.5.4"): "1.5.4",
    ("2.7", "8.1.2"): "8.1",
    ("2.7", "9.0.1"): "9.0.1",
    ("3.6", "9.0.3"): "9.0.3",
    ("2.7", "18.1"): "18.1 to 20.0",
    ("3.8", "20.0.2"): "18.1 to 20.0",
    ("2.7", "20.3.4"): "20.3.4",
    ("3.9", "21.2.3"): "21.2 to 24.0",
    ("3.12", "24.0"): "21.2 to 24.0",
    ("3.13", "25.1.1"): "24.2 to 25.1",
    ("3.13", NEWEST): "newest",
}


def targets() -> list[Target]:
    """Every pip of the matrix, oldest Python first."""
    found = []
    for python, versions in _PIPS.items():
        for version in versions:
            families = [family for family, pips in _REDISTRIBUTED.items() if (python, version) in pips]
            patch = f"{families[0]}/pip-patches/pip-{version}.patch" if families else ""
            found.append(Target(python, version, generation=_GENERATIONS.get((python, version), ""), patch=patch))
        found += [target for target in _OTHERS if target.python == python]
    return found + [target for target in _OTHERS if target.python not in _PIPS]
