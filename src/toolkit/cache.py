# SPDX-License-Identifier: Apache-2.0
"""Files that take long to make, in the cache that the build keeps (openssl.cache)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from openssl import cache


def cached(kind: str, key: str, file_name: str, make: Callable[[Path], None]) -> Path:
    """The cached file ``file_name`` for ``key``, made by ``make(path)`` when it is missing.

    ``key`` holds everything the content depends on. Nobody ever sees half a file, and
    parallel runs wait for the one that makes it.
    """

    def fill(directory: str) -> None:
        make(Path(directory, file_name))

    return Path(cache.entry(kind, cache.key_of(key), fill), file_name)
