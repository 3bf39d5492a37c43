"""Batching as in TensorFlow Serving: requests are joined along dimension 0, run once, and split again.

A queue for each signature and set of outputs, a pool of threads shared by all of them, and the fields of
BatchingParameters with their meaning in tensorflow/core/kernels/batching_util/shared_batch_scheduler.h.
"""

import asyncio
import time
from collections import deque
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from serving.server.batching.options import BatchOptions
from serving.server.batching.scheduling import PredictJob
from serving.server.metrics import Metrics
from serving.server.models.loader import Arrays, Call, Servable
from serving.server.status import ServingError, from_exception, invalid
from serving.server.threads import in_thread

T = TypeVar("T")


@dataclass(eq=False)
class _Task:
    call: Call
    size: int
    deadline: float | None
    future: asyncio.Future[Arrays]
    since: float = field(default_factory=time.perf_counter)


@dataclass(eq=False)
class _Batch:
    servable: Servable
    tasks: list[_Task] = field(default_factory=list)
    closed: bool = False

    @property
    def size(self) -> int:
        return sum(task.size for task in self.tasks)


class BatchScheduler:
    """Runs requests in batches; with `by_shape`, requests of different shapes are never joined."""

    def __init__(self, options: BatchOptions, by_shape: bool, metrics: Metrics) -> None:
        self._options, self._by_shape, self._metrics = options, by_shape, metrics
        self._threads = ThreadPoolExecutor(options.num_threads, thread_name_prefix=options.thread_pool_name)
        # Reading and writing tensors holds the interpreter's lock: more threads would not be faster.
        self._codecs = ThreadPoolExecutor(2, thread_name_prefix="codec")
        self._idle = options.num_threads
        self._queues: dict[Hashable, deque[_Batch]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def answer(self, job: PredictJob[T]) -> T:
        """Answers one request; see `Scheduler.answer`."""
        call = await in_thread(self._codecs, job.read)
        job.remaining()
        started = time.perf_counter()
        outputs = await self._run(job, call)
        self._metrics.run(job.model, time.perf_counter() - started)
        return await in_thread(self._codecs, lambda: job.write(call, outputs))

    async def _run(self, job: PredictJob[T], call: Call) -> Arrays:
        size = _batch_size(call)
        if size > self._options.max_batch_size:
            raise invalid(f"Task size {size} is larger than maximum input batch size {self._options.max_batch_size}")
        tasks = self._enqueue(job, call, size)
        self._dispatch()
        try:
            parts = [await asyncio.shield(task.future) for task in tasks]
        except asyncio.CancelledError:
            await self._abandon(tasks)
            raise
        except ServingError:
            await asyncio.wait({task.future for task in tasks})
            raise
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _enqueue(self, job: PredictJob[T], call: Call, size: int) -> list[_Task]:
        key: Hashable = (id(job.servable), call.signature, call.outputs)
        if self._by_shape:
            key = (key, tuple(sorted((name, array.shape[1:]) for name, array in call.inputs.items())))
        queue = self._queues.setdefault(key, deque())
        largest = self._options.max_execution_size
        room = largest - queue[-1].size if queue and not queue[-1].closed else 0
        sizes = self._split(size, room)
        added = len(sizes) - (1 if sizes[0] <= room else 0)
        if len(queue) + added > self._options.max_enqueued_batches:
            raise ServingError(
                "RESOURCE_EXHAUSTED",
                "The batch scheduling queue to which this task was submitted is full: "
                f"{len(queue)} batches wait (max_enqueued_batches)",
            )
        tasks, start = [], 0
        for part in sizes:
            inputs = {name: array[start : start + part] for name, array in call.inputs.items()}
            future = asyncio.get_running_loop().create_future()
            tasks.append(_Task(replace(call, inputs=inputs), part, job.deadline, future))
            start += part
            if not queue or queue[-1].closed or queue[-1].size + part > largest:
                if queue:
                    queue[-1].closed = True
                queue.append(_Batch(job.servable))
            queue[-1].tasks.append(tasks[-1])
            queue[-1].closed = queue[-1].size >= largest
        return tasks

    def _split(self, size: int, room: int) -> list[int]:
        largest = self._options.max_execution_size
        if not self._options.split:
            return [size]
        first = min(size, room or largest)
        rest = size - first
        return [first] + [largest] * (rest // largest) + ([rest % largest] if rest % largest else [])

    async def _abandon(self, tasks: list[_Task]) -> None:
        """Removes tasks from batches that have not started, and waits for the others."""
        for queue in self._queues.values():
            for batch in queue:
                batch.tasks = [task for task in batch.tasks if task not in tasks or not task.future.cancel()]
        pending = {task.future for task in tasks if not task.future.done()}
        if pending:
            await asyncio.wait(pending)
        for task in tasks:
            if not task.future.cancelled():
                task.future.exception()

    def _dispatch(self) -> None:
        """Assigns batches to free threads: full batches, and batches whose first request has waited long enough."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        soonest = None
        for key, queue in list(self._queues.items()):
            while queue and not queue[0].tasks:
                queue.popleft()
            while queue and self._idle:
                wait = 0.0 if queue[0].closed else self._remaining(queue[0])
                if wait > 0:
                    soonest = wait if soonest is None else min(soonest, wait)
                    break
                self._start(queue.popleft())
            if not queue:
                del self._queues[key]
        if soonest is not None:
            self._timer = asyncio.get_running_loop().call_later(soonest, self._dispatch)

    def _remaining(self, batch: _Batch) -> float:
        return batch.tasks[0].since + self._options.timeout_seconds - time.perf_counter()

    def _start(self, batch: _Batch) -> None:
        if not batch.tasks:
            return
        self._idle -= 1
        running = asyncio.create_task(self._run_batch(batch))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _run_batch(self, batch: _Batch) -> None:
        now = time.perf_counter()
        for task in batch.tasks:
            self._metrics.queued(self._options.thread_pool_name, now - task.since)
        try:
            results = await in_thread(self._threads, lambda: self._run_merged(batch))
        except Exception as failure:
            error = from_exception(failure)
            for task in batch.tasks:
                task.future.set_exception(error)
        else:
            for task, result in zip(batch.tasks, results, strict=True):
                task.future.set_result(result)
        finally:
            self._idle += 1
            self._dispatch()

    def _run_merged(self, batch: _Batch) -> list[Arrays]:
        """Runs a batch in a thread of the pool."""
        deadlines = [task.deadline for task in batch.tasks]
        timeout = None
        if None not in deadlines:
            # The latest deadline: the clients of earlier deadlines are answered when those pass.
            timeout = max(deadline for deadline in deadlines if deadline is not None) - time.perf_counter()
            if timeout <= 0:
                raise ServingError("DEADLINE_EXCEEDED", "Batch timeout exceeded before it was run")
        total = self._padded_size(batch.size)
        call = replace(batch.tasks[0].call, inputs=self._merge(batch, total))
        self._metrics.batch(self._options.thread_pool_name, total)
        outputs = batch.servable.run(call, timeout)
        for name, output in outputs.items():
            if output.ndim == 0:
                raise ServingError("FAILED_PRECONDITION", f"Batched output tensor {name} has 0 dimensions")
            if len(output) != total:
                raise ServingError(
                    "FAILED_PRECONDITION",
                    f"Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of "
                    f"the input tensors ({name}: {len(output)}, expected {total})",
                )
        ends = np.cumsum([task.size for task in batch.tasks])
        return [
            {name: output[end - task.size : end] for name, output in outputs.items()}
            for task, end in zip(batch.tasks, ends, strict=True)
        ]

    def _padded_size(self, size: int) -> int:
        return next((allowed for allowed in self._options.allowed_sizes if allowed >= size > 0), size)

    def _merge(self, batch: _Batch, total: int) -> Arrays:
        merged = {}
        for name in batch.tasks[0].call.inputs:
            arrays = [task.call.inputs[name] for task in batch.tasks]
            if self._options.pad:
                arrays = _padded(name, arrays)
            elif len({array.shape[1:] for array in arrays}) > 1:
                raise ServingError(
                    "FAILED_PRECONDITION",
                    f"Tensors with name '{name}' from different tasks have different shapes and padding is turned "
                    "off. Set pad_variable_length_inputs to true, or ensure that all tensors with the same name "
                    "have equal dimensions starting with the first dim.",
                )
            if total > batch.size:
                # Pads the batch with a valid row up to an allowed size.
                row = next(array for array in arrays if len(array))[:1]
                arrays += [row] * (total - batch.size)
            merged[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return merged

    def close(self) -> None:
        """Stops the threads."""
        self._threads.shutdown(wait=False)
        self._codecs.shutdown(wait=False)


def _batch_size(call: Call) -> int:
    sizes = set()
    for array in call.inputs.values():
        if array.ndim == 0:
            raise invalid("Batching Run() input tensors must have at least one dimension")
        sizes.add(len(array))
    if len(sizes) != 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def _padded(name: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
    if len({array.ndim for array in arrays}) > 1:
        raise ServingError("FAILED_PRECONDITION", f"Tensors with name '{name}' have different ranks: not padded")
    largest = np.max([array.shape[1:] for array in arrays], axis=0).astype(int).tolist()
    padded = []
    for array in arrays:
        widths = [(0, 0), *((0, most - size) for most, size in zip(largest, array.shape[1:], strict=True))]
        fill: Any = b"" if array.dtype == object else 0
        padded.append(np.pad(array, widths, constant_values=fill) if any(after for _, after in widths) else array)
    return padded
