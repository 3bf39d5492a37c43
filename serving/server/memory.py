"""What is done with freed memory: kept while requests come, given back once the server is idle (glibc alone)."""

import asyncio
import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 1 << 30
_LOOK_SECONDS = 1.0
# Threads that were late, and connections that are kept, let go of memory after the last answer.
_LOOKS_AFTER = 3
# A message that gRPC refused unread is no request; what it took is seen by its size, or every so many looks.
_RARE = 30
_SLACK_BYTES = 32 << 20
_STATM = Path("/proc/self/statm")


def _of_c_library(name: str) -> Any:
    """A function of the C library, or None where it has none of this name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None


def share_arenas() -> None:
    """Has all threads of a core share what glibc keeps; to be called before there are many threads.

    Each model is loaded in a thread of its own. With an arena for each, pieces that stay in use hold on to all of them.
    """
    if mallopt := _of_c_library("mallopt"):
        mallopt(_M_ARENA_MAX, max(2, os.cpu_count() or 1))


def keep_freed() -> None:
    """Has glibc reuse the memory of large tensors: given back after each request, it costs page faults to get again.

    What is loaded by now stays for good, and is not looked through when garbage is collected.
    """
    gc.freeze()
    if mallopt := _of_c_library("mallopt"):
        for option in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
            mallopt(option, _KEPT_BYTES)


def resident_bytes() -> int:
    """Returns how much memory this process takes; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


async def give_back_when_idle(ended: Callable[[], int], is_idle: Callable[[], bool]) -> None:
    """Gives freed memory back whenever nothing has ended for a second, until cancelled.

    Args:
        ended: returns a number that grows with each request that has ended, and each model.
        is_idle: whether no request runs.
    """
    malloc_trim = _of_c_library("malloc_trim")
    floor, seen, looks = resident_bytes(), ended(), _LOOKS_AFTER
    while malloc_trim is not None:
        await asyncio.sleep(_LOOK_SECONDS)
        looks += 1
        if ended() != seen or not is_idle():
            seen, looks = ended(), 0
        elif looks <= _LOOKS_AFTER or looks % _RARE == 0 or resident_bytes() > floor + _SLACK_BYTES:
            # What a failed request held is in cycles with the traceback of its error.
            gc.collect()
            await asyncio.to_thread(malloc_trim, 0)
            floor = resident_bytes()
