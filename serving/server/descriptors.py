"""Manages file descriptors, of which each connection takes one."""

import contextlib
import errno
import logging
import os
import socket
from typing import Any

from serving.server.logs import event, now_and_then

# Reserve for other uses: models, logs, thread wake-ups.
_OTHERS = 256
_EXHAUSTED = (errno.EMFILE, errno.ENFILE)


def allow(connections: int) -> None:
    """Raises this process's limit as far as connections need and the system permits; logs if that is not enough."""
    import resource

    wanted = connections + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            hint = "raise `ulimit -Hn` or lower --max_connections"
            event("few_descriptors", logging.WARNING, message=f"{soft} descriptors, {wanted} may be needed: {hint}")


class Listener(socket.socket):
    """A listening socket that refuses connections when no descriptor is left.

    asyncio would retry to accept it, and log each attempt. A spare descriptor accepts and closes it.
    """

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._spare: int | None = os.open(os.devnull, os.O_RDONLY)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accepts a connection; raises a BlockingIOError if there is none, or it was refused."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _EXHAUSTED or self._spare is None:
                raise
            now_and_then("no_descriptors", message="no descriptor is left for a new connection: raise `ulimit -Hn`")
            self._refuse()
            raise BlockingIOError from error

    def _refuse(self) -> None:
        self._drop_spare()
        with contextlib.suppress(OSError):  # another thread took the descriptor
            super().accept()[0].close()
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)

    def _drop_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def close(self) -> None:
        """Closes the socket and the spare descriptor."""
        self._drop_spare()
        super().close()
