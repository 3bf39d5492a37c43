"""Limits the arrival of gRPC messages: gRPC buffers partial messages, and would wait for the rest forever."""

import asyncio
import time
from typing import Any

import grpc

from serving.server.limits import no_message
from serving.server.status import ServingError

# Maximum number of slowly arriving messages: each may take memory up to the message limit.
MAX_SLOW = 16
_MOMENT = 0.5


class Arrivals:
    """Reads the single message of each call, which must arrive within some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._awaited = 0

    async def read(self, context: Any) -> bytes:
        """Reads the message of a call; raises a ServingError if it is late, missing, or slow like too many others."""
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
