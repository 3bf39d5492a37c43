"""Manages freed memory: kept during requests, returned when the server is idle (glibc only)."""

import asyncio
import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Constants of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 1 << 30
_LOOK_SECONDS = 1.0
# Late threads and kept connections release memory after the last answer.
_LOOKS_AFTER = 3
# A message that gRPC refused unread is not counted as a request; its memory is noticed by size or periodically.
_RARE = 30
_SLACK_BYTES = 32 << 20
_STATM = Path("/proc/self/statm")


def _of_c_library(name: str) -> Any:
    """A function of the C library, or None if it does not exist."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None


def share_arenas() -> None:
    """Makes the threads of a core share glibc's arenas; call it before there are many threads.

    Each model is loaded in its own thread. With separate arenas, small live blocks would keep all of them.
    """
    if mallopt := _of_c_library("mallopt"):
        mallopt(_M_ARENA_MAX, max(2, os.cpu_count() or 1))


def keep_freed() -> None:
    """Makes glibc reuse the memory of large tensors, because returning it would cost page faults.

    Objects loaded by now are permanent, and excluded from garbage collection.
    """
    gc.freeze()
    if mallopt := _of_c_library("mallopt"):
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            mallopt(option, _KEPT_BYTES)


def resident_bytes() -> int:
    """Returns the resident memory of this process; 0 if the system does not report it."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


async def give_back_when_idle(ended: Callable[[], int], is_idle: Callable[[], bool]) -> None:
    """Returns freed memory whenever nothing has ended, by a counter, and nothing runs for a second; until cancelled."""
    malloc_trim = _of_c_library("malloc_trim")
    floor, seen, looks = resident_bytes(), ended(), _LOOKS_AFTER
    while malloc_trim is not None:
        await asyncio.sleep(_LOOK_SECONDS)
        looks += 1
        if ended() != seen or not is_idle():
            seen, looks = ended(), 0
        elif looks <= _LOOKS_AFTER or looks % _RARE == 0 or resident_bytes() > floor + _SLACK_BYTES:
            # A failed request's objects are in cycles with the traceback of its error.
            gc.collect()
            await asyncio.to_thread(malloc_trim, 0)
            floor = resident_bytes()
