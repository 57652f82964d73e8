# SPDX-License-Identifier: Apache-2.0
"""The hot paths must not grow unnoticed: instructions of our own functions, under callgrind, against the record."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from toolkit import interpreters
from toolkit.bench import counts as bench_counts
from toolkit.bench import setup

#: Seconds; callgrind is fifty times slower than the processor, and the builds to be counted may have to be made.
pytestmark = pytest.mark.timeout(1800)

PRESENT = {item.name: item for item in interpreters.find()}


@pytest.fixture(scope="session")
def certificates() -> Path:
    return setup.certificates()


@pytest.fixture(scope="session")
def built() -> dict[int, bench_counts.Counted]:
    """Major version of Python -> the build that is counted."""
    return {major: bench_counts.Counted(major) for major in (3, 2)}


@pytest.mark.parametrize("language", setup.LANGUAGES)
def test_the_hot_paths_have_not_grown(language: str, built: dict[int, bench_counts.Counted], certificates: Path) -> None:
    if language not in PRESENT:
        pytest.skip(f"there is no Python {language} here")
    interpreter = PRESENT[language]
    record = bench_counts.recorded(interpreter)
    if record is None:
        compiler, python = bench_counts.key(interpreter)
        pytest.skip(f"no record for {compiler} and Python {python}: python -m toolkit.bench.counts --record")
    counted = built[interpreter.version[0]].count(interpreter, certificates)
    assert bench_counts.complaints(counted, record) == []
    # A path that became much cheaper without a new record would hide the next growth.
    for path, now in bench_counts.total(counted).items():
        assert now > record[path] * 0.8, f"{path}: {now:.0f} of {record[path]:.0f}: record it (--record)"


def with_loop(interpreter: interpreters.Interpreter, directory: Path, place: str, loop: str) -> bench_counts.Counted:
    """A build with an empty loop planted before one place of membio.c."""
    core = directory / "core"
    shutil.copytree("src/core", core)
    source = core / "membio.c"
    text = source.read_text(encoding="utf-8")
    assert text.count(place) == 1
    source.write_text(text.replace(place, f"    for ({loop})\n        ;\n{place}"), encoding="utf-8")
    return bench_counts.Counted(interpreter.version[0], core=core, output=Path("build", "bench", "counted-planted"))


def test_what_grows_is_seen(certificates: Path, tmp_path: Path) -> None:
    """The negative control: one more loop in the BIO's write function."""
    interpreter = PRESENT["3.11"] if "3.11" in PRESENT else next(reversed(PRESENT.values()))
    place = "    result = queue_put(queue, data, (size_t)length);\n"
    plain = bench_counts.Counted(interpreter.version[0])
    grown = with_loop(interpreter, tmp_path, place, "volatile int planted = 0; planted < 60; planted++")
    path, times = next(iter(bench_counts.PATHS.items()))
    counts = []
    for build in (plain, grown):
        more = build.run(interpreter, certificates, times)
        more.subtract(build.run(interpreter, certificates, bench_counts.BASIS))
        counts.append({path: {name: count / (times[0] - bench_counts.BASIS[0]) for name, count in more.items()}})
    complaints = bench_counts.complaints(counts[1], bench_counts.total(counts[0]))
    assert len(complaints) == 1 and path in complaints[0] and "bio_write" in complaints[0]
    assert bench_counts.complaints(counts[0], bench_counts.total(counts[0])) == []


def late(build: bench_counts.Counted, interpreter: interpreters.Interpreter, certificates: Path) -> list[float]:
    """Instructions for each of 200 and of 1,000 writes of 1 KiB that wait before the first one is read."""
    basis = build.run(interpreter, certificates, bench_counts.BASIS)
    more = {waiting: build.run(interpreter, certificates, bench_counts.BASIS, waiting) for waiting in (200, 1000)}
    return [(counted - basis).total() / waiting for waiting, counted in more.items()]


def test_a_record_costs_no_more_the_more_wait(
    built: dict[int, bench_counts.Counted], certificates: Path, tmp_path: Path
) -> None:
    interpreter = PRESENT["3.11"] if "3.11" in PRESENT else next(reversed(PRESENT.values()))
    few, many = late(built[interpreter.version[0]], interpreter, certificates)
    assert many < 1.02 * few, f"{few:.0f} instructions each of 200, {many:.0f} each of 1,000"
    # The control: a queue that looks for its end.
    place = "    if (queue->last != NULL)\n        queue->last->next = added;\n"
    slow = with_loop(interpreter, tmp_path, place, "chunk *volatile item = queue->first; item != NULL; item = item->next")
    few, many = late(slow, interpreter, certificates)
    assert many > 2 * few


def test_only_our_own_functions_are_counted(built: dict[int, bench_counts.Counted]) -> None:
    names = {each.name for each in built[3].functions}
    assert {"tb_connection_write", "tb_connection_read", "bio_write", "tb_membio_reserve"} <= names
    assert not {name for name in names if name.startswith(("SSL_", "EVP_", "BIO_", "ossl_"))}
