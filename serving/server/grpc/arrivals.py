"""gRPC messages on their way: gRPC keeps what has come of each, and would wait for the rest without end."""

import asyncio
import time
from typing import Any

import grpc

from serving.server.limits import no_message
from serving.server.status import ServingError

# How many may be on their way for longer than a moment: each takes memory, up to the size of the largest.
MAX_SLOW = 16
_MOMENT = 0.5


class Arrivals:
    """Reads the one message of each call.

    Args:
        seconds: within which it arrives.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._awaited = 0

    async def read(self, context: Any) -> bytes:
        """Reads a message.

        Args:
            context: of the call.

        Returns:
            Its bytes.

        Raises:
            ServingError: DEADLINE_EXCEEDED, it is late; RESOURCE_EXHAUSTED, it is slow, and so are too many others;
                INTERNAL, there is none.
        """
        reading = asyncio.ensure_future(context.read())
        self._awaited += 1
        try:
            await self._arrived(reading)
            content = reading.result()
        finally:
            self._awaited -= 1
            reading.cancel()
        if content is grpc.aio.EOF:
            raise no_message()
        return content

    async def _arrived(self, reading: "asyncio.Future[Any]") -> None:
        until = time.monotonic() + self._seconds
        while not reading.done():
            left = until - time.monotonic()
            if left <= 0:
                message = f"The request's message did not arrive within {self._seconds:g} s (--receive_timeout_in_ms)"
                raise ServingError("DEADLINE_EXCEEDED", message)
            await asyncio.wait({reading}, timeout=min(left, _MOMENT))
            if not reading.done() and self._awaited > MAX_SLOW:
                message = f"The request's message arrives slowly, and so do more than {MAX_SLOW} others; send it later"
                raise ServingError("RESOURCE_EXHAUSTED", message)
