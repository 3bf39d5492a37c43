"""Runs work in threads, awaited from the event loop and never abandoned while running."""

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from serving.server.logs import event

T = TypeVar("T")


async def in_thread(pool: Executor, work: Callable[[], T]) -> T:
    """Runs a function in a pool.

    When the awaiting task is cancelled, waiting work is dropped; running work is waited for, because it uses the task's
    resources.
    """
    running = pool.submit(work)
    future = asyncio.wrap_future(running)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not running.cancel():
            await asyncio.wait({future})
            if not future.cancelled():
                future.exception()  # retrieved, because no task is left to receive it
        raise


def leave(seconds: float) -> None:
    """Ends the process if threads do not end in time: Python would wait for them, and they cannot be stopped."""
    until = time.monotonic() + seconds
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    if stuck := [thread.name for thread in others if thread.is_alive()]:
        event("threads_left", logging.WARNING, threads=stuck)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
