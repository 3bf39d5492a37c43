"""grpc.health.v1.Health: SERVING, whatever models are loaded, until the server drains."""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

# Each watcher keeps a call open, and calls are limited.
MAX_WATCHERS = 16
# The server, and its two services by the short names that TensorFlow Serving gives them.
_NAMES = ("", "ModelService", "PredictionService")


class HealthService(health_pb2_grpc.HealthServicer):
    """Check and Watch."""

    def __init__(self) -> None:
        self._watchers = 0
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Reports NOT_SERVING from now on, and ends all watches, for which the server would wait."""
        self._draining.set()

    def _status(self, name: str) -> Any:
        statuses = health_pb2.HealthCheckResponse
        if name not in _NAMES:
            return statuses.SERVICE_UNKNOWN
        return statuses.NOT_SERVING if self._draining.is_set() else statuses.SERVING

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802, the method's name in the protocol
        """Reports a service's status once."""
        if request.service not in _NAMES:
            await context.abort(grpc.StatusCode.NOT_FOUND, "")
        return health_pb2.HealthCheckResponse(status=self._status(request.service))

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802
        """Reports a service's status now and after each change."""
        if self._watchers >= MAX_WATCHERS:
            message = f"{MAX_WATCHERS} clients watch already; use Check, again and again"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, message)
        self._watchers += 1
        try:
            for wait in (self._draining.wait, None):
                await context.write(health_pb2.HealthCheckResponse(status=self._status(request.service)))
                if wait:
                    await wait()
        finally:
            self._watchers -= 1
