"""Runs requests, individually or in batches."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from serving.server.metrics import Metrics
from serving.server.models.loader import Arrays, Call, Servable
from serving.server.status import ServingError
from serving.server.threads import in_thread

T = TypeVar("T")


@dataclass(frozen=True)
class PredictJob(Generic[T]):
    """A request on a loaded model, to be read and written in a thread, with a deadline of time.perf_counter or None."""

    model: str
    servable: Servable
    read: Callable[[], Call]
    write: Callable[[Call, Arrays], T]
    deadline: float | None

    def remaining(self) -> float | None:
        """Returns the seconds to the deadline, or None without a deadline; raises DEADLINE_EXCEEDED after it."""
        if self.deadline is None:
            return None
        left = self.deadline - time.perf_counter()
        if left <= 0:
            raise ServingError("DEADLINE_EXCEEDED", "The deadline passed before the request was run")
        return left


class Scheduler(Protocol):
    """Runs requests on loaded models."""

    async def answer(self, job: PredictJob[T]) -> T:
        """Answers a request with the result of its `write` on the outputs."""
        ...

    def close(self) -> None:
        """Stops the threads."""
        ...


class DirectScheduler:
    """Runs each request individually, a few concurrently, from tensors to answer in one thread."""

    def __init__(self, running: int, metrics: Metrics) -> None:
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(running, thread_name_prefix="run")

    async def answer(self, job: PredictJob[T]) -> T:
        """Answers one request; see `Scheduler.answer`."""

        def work() -> T:
            job.remaining()
            call = job.read()
            started = time.perf_counter()
            outputs = job.servable.run(call, job.remaining())
            self._metrics.run(job.model, time.perf_counter() - started)
            job.remaining()
            return job.write(call, outputs)

        return await in_thread(self._threads, work)

    def close(self) -> None:
        """Stops the threads."""
        self._threads.shutdown(wait=False)
