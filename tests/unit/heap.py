# SPDX-License-Identifier: Apache-2.0
"""How much memory this process has from malloc(): exact, where its resident memory has pages as its unit."""

import ctypes
import gc


class _Information(ctypes.Structure):
    # malloc.h; as unsigned numbers they are right up to 4 GiB.
    _fields_ = [
        (name, ctypes.c_uint)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    ]


def allocated():
    """Bytes in use, in the heap and mapped, once what nobody needs is freed. Python's own blocks of up to 512 are not seen."""
    gc.collect()
    ask = ctypes.CDLL(None).mallinfo
    ask.restype = _Information
    found = ask()
    return found.uordblks + found.hblkhd
