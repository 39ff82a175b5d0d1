"""How this process holds its memory."""

from __future__ import annotations

import ctypes

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD in malloc.h
_BIG_BYTES = 1_048_576


def give_back_big_blocks() -> None:
    """Have every block of a mebibyte or more given back to the system when it is freed.

    The C library raises the bound by itself, up to 32 MiB, whenever a larger block is freed: then a body's memory stays
    with the process. A C library that has no such bound is left as it is.
    """
    try:
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _BIG_BYTES)
    except (AttributeError, OSError, TypeError):
        return
