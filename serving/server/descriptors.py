"""File descriptors: each connection takes one, and a process has a limit of them."""

import asyncio
import errno
import logging
from typing import Any

from serving.server.logs import event, now_and_then

# Beside connections: models, logs, threads that wake each other.
_OTHERS = 256
_EXHAUSTED = (errno.EMFILE, errno.ENFILE)


def allow(connections: int) -> None:
    """Raises this process's own limit as far as it is needed and may be raised, and says where that is not enough.

    Args:
        connections: how many there may be.
    """
    import resource

    wanted = connections + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            hint = "raise `ulimit -Hn` or lower --max_connections"
            event("few_descriptors", logging.WARNING, message=f"{soft} descriptors, {wanted} may be needed: {hint}")


def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Logs what the event loop reports: one line, now and then, where descriptors have run out.

    Args:
        loop: the loop.
        context: what happened; see `asyncio.loop.call_exception_handler`.
    """
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        message = "no descriptors are left: connections wait until others end; raise `ulimit -Hn`"
        now_and_then("no_descriptors", message=message)
    else:
        event("loop_failed", logging.ERROR, exc_info=error, message=context.get("message"))
