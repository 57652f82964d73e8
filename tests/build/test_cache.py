# SPDX-License-Identifier: Apache-2.0
"""The build cache: complete entries only, one maker at a time, nothing left by killed builds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openssl import cache

SOURCE = str(Path(cache.__file__).parents[1])

MAKER = """
import os, sys
from openssl import cache
def make(directory):
    open(os.path.join(directory, "half"), "w").close()
    print("making", flush=True)
    sys.stdin.read()
    os.rename(os.path.join(directory, "half"), os.path.join(directory, "whole"))
print("entry", cache.entry("thing", "key", make), flush=True)
"""


def start_maker():
    environment = os.environ | {"PYTHONPATH": SOURCE}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", MAKER], env=environment, stdin=pipe, stdout=pipe, text=True)


def visible(shelf):
    return sorted(path.name for path in shelf.iterdir() if not path.name.startswith(cache.LOCK))


def test_an_entry_is_made_once(private_cache):
    made = []
    first = cache.entry("thing", "key", lambda directory: made.append(directory))
    assert cache.entry("thing", "key", lambda directory: made.append(directory)) == first
    assert len(made) == 1
    assert first == str(private_cache / "thing" / "key")


def test_a_maker_that_fails_leaves_nothing(private_cache):
    def fail(directory):
        Path(directory, "half").touch()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.entry("thing", "key", fail)
    assert visible(private_cache / "thing") == []


def test_a_killed_build_is_not_taken_for_a_finished_one(private_cache):
    maker = start_maker()
    assert maker.stdout.readline() == "making\n"
    assert visible(private_cache / "thing") == [".making-key"]
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    # Another entry's build clears what the killed one left.
    cache.entry("thing", "other", lambda directory: None)
    assert visible(private_cache / "thing") == ["other"]


def test_what_a_live_build_is_making_is_left_alone(private_cache):
    maker = start_maker()
    assert maker.stdout.readline() == "making\n"
    cache.entry("thing", "other", lambda directory: None)
    assert visible(private_cache / "thing") == [".making-key", "other"]
    maker.communicate("")
    assert visible(private_cache / "thing") == ["key", "other"]
    assert (private_cache / "thing" / "key" / "whole").exists()


def test_parallel_builds_of_one_entry_wait_for_each_other(private_cache):
    first = start_maker()
    assert first.stdout.readline() == "making\n"
    second = start_maker()
    assert second.stdout.readline() == "waiting for another process that makes thing key\n"
    first.communicate("")
    output, _ = second.communicate("")
    assert output == f"entry {private_cache}/thing/key\n"


def test_threads_of_one_process_exclude_each_other_too(private_cache):
    made = []
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(cache.entry, "thing", "key", made.append)
    assert len(made) == 1


def test_an_empty_variable_keeps_everything_under_build(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CACHE", "")
    assert cache.root() == str(tmp_path / "build" / "cache")


def test_a_builder_without_a_home_uses_build(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("HOME", str(blocked / "home"))
    assert cache.root() == str(tmp_path / "build" / "cache")


needs_mounts = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def outside(tmp_path):
    """A directory that a half-made entry of a killed build has mounted inside itself."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "precious").touch()
    return place


@pytest.fixture
def half_made(private_cache, outside):
    inner = private_cache / "thing" / ".making-key" / "a root" / "dev"
    inner.mkdir(parents=True)
    subprocess.run(["mount", "--bind", outside, inner], check=True)
    yield inner
    subprocess.run(["umount", inner], stderr=subprocess.DEVNULL, check=False)


@needs_mounts
def test_clearing_unmounts_and_never_reaches_what_is_mounted(private_cache, outside, half_made):
    cache.entry("thing", "other", lambda directory: None)
    assert visible(private_cache / "thing") == ["other"]
    assert (outside / "precious").exists()


@needs_mounts
def test_a_mount_in_use_stays_and_is_named(private_cache, outside, half_made):
    with (half_made / "precious").open():
        cache.entry("thing", "other", lambda directory: None)
        assert visible(private_cache / "thing") == [".making-key", "other"]
        with pytest.raises(cache.BuildError) as caught:
            cache.entry("thing", "key", lambda directory: None)
    assert str(half_made) in str(caught.value)
    assert (outside / "precious").exists()


def test_keys_tell_where_one_part_ends():
    assert cache.key_of("ab", "c") != cache.key_of("a", "bc")
    assert cache.key_of("a") == cache.key_of(b"a")
