"""Answers Predict requests, independent of the protocol."""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from serving.server.batching.scheduling import PredictJob, Scheduler
from serving.server.limits import AdmissionLimiter
from serving.server.logs import event
from serving.server.models.loader import Arrays, Call, Servable
from serving.server.models.manager import ModelManager
from serving.server.models.version import ServedVersion
from serving.server.status import ServingError, from_exception

T = TypeVar("T")
Read = Callable[[Servable], Call]
Write = Callable[[ServedVersion, Call, Arrays], T]


class Predictor:
    """Answers Predict requests."""

    def __init__(self, manager: ModelManager, scheduler: Scheduler, limiter: AdmissionLimiter) -> None:
        self._manager, self._scheduler, self._limiter = manager, scheduler, limiter

    async def predict(self, spec: Any, read: Read, write: Write[T], timeout: float | None, entrypoint: str) -> T:
        """Answers one request, which came by `GRPC` or `REST`; `read` and `write` are called in a thread."""
        started = time.perf_counter()
        version, failure = None, None
        try:
            with contextlib.ExitStack() as held:
                held.enter_context(self._limiter.place())
                version = self._manager.find(spec)
                servable = held.enter_context(version.in_use())
                deadline = None if timeout is None else started + timeout
                job = PredictJob(
                    version.model,
                    servable,
                    functools.partial(read, servable),
                    functools.partial(write, version),
                    deadline,
                )
                work = asyncio.create_task(self._scheduler.answer(job))
                # Even after a deadline, the model stays loaded and the place taken until the threads end.
                late = held.pop_all()
                work.add_done_callback(lambda _: late.close())
            return await _before(work, timeout)
        except asyncio.CancelledError:
            failure = ServingError("CANCELLED", "The client went away")
            raise
        except Exception as error:
            failure = from_exception(error)
            if failure.code == "INTERNAL":
                event("request_crashed", logging.ERROR, exc_info=error)
            raise failure from error
        finally:
            event(
                "predict",
                logging.INFO if failure is None else logging.WARNING,
                model=spec.name[:200],
                version=version.number if version else None,
                entrypoint=entrypoint,
                code=failure.code if failure else "OK",
                milliseconds=round(1000 * (time.perf_counter() - started), 3),
                message=failure.message[:500] if failure else None,
            )

    def close(self) -> None:
        """Stops the threads."""
        self._scheduler.close()


async def _before(work: "asyncio.Task[T]", timeout: float | None) -> T:
    """Awaits work until a deadline; late work is cancelled, and not waited for."""
    try:
        done, _ = await asyncio.wait({work}, timeout=timeout)
    finally:
        if not work.done():
            work.cancel()
    if not done:
        raise ServingError("DEADLINE_EXCEEDED", f"The request did not finish within its deadline of {timeout:.3f} s")
    return work.result()
