# SPDX-License-Identifier: Apache-2.0
"""Gives all contenders the same processor and the same way to copy memory, which differ between processes otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: From 2 KiB on glibc copies and clears by `rep movsb` and `rep stosb`. The first takes several times as long on AMD's Zen
#: where the two addresses lie alike in their pages (glibc's bug 30994), which is luck that a process keeps to its end; and
#: callgrind counts an instruction for each byte. A name that a libc does not know changes nothing.
_NEVER = 1 << 30
SAME_COPIES = {"GLIBC_TUNABLES": f"glibc.cpu.x86_rep_movsb_threshold={_NEVER}:glibc.cpu.x86_rep_stosb_threshold={_NEVER}"}


@contextmanager
def one() -> Iterator[None]:
    """What this thread starts within stays on one processor.

    Of several that a virtual machine has, one may be half as fast as another for seconds, when its core has other work;
    processes that are asked in turns stay where they were, so each would be measured on a processor of its own.
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
