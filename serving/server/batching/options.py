"""The batching parameters, with defaults for missing values."""

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BatchOptions:
    """BatchingParameters with defaults for unset values.

    Attributes:
        max_batch_size: the largest request, and the largest batch unless large requests are split.
        timeout_seconds: time that a request waits for others while a thread is free.
        max_enqueued_batches: maximum number of batches that wait in a queue.
        num_threads: number of batches that run concurrently.
        thread_pool_name: a label of the metrics.
        allowed_sizes: batches are padded to one of these sizes.
        pad: pad requests of different shapes to the largest instead of refusing them.
        split: spread requests over several batches if necessary.
        max_execution_size: the largest batch that is run.
    """

    max_batch_size: int = 1000
    timeout_seconds: float = 0.0
    max_enqueued_batches: int = 10
    num_threads: int = 1
    thread_pool_name: str = "batch_threads"
    allowed_sizes: tuple[int, ...] = ()
    pad: bool = False
    split: bool = False
    max_execution_size: int = 1000

    @classmethod
    def from_proto(cls, proto: Any) -> "BatchOptions":
        """Reads a tensorflow.serving.BatchingParameters."""

        def value(name: str, default: Any) -> Any:
            return getattr(proto, name).value if proto.HasField(name) else default

        largest = value("max_batch_size", cls.max_batch_size)
        split = value("enable_large_batch_splitting", False)
        return cls(
            max_batch_size=largest,
            timeout_seconds=value("batch_timeout_micros", 0) / 1e6,
            max_enqueued_batches=value("max_enqueued_batches", cls.max_enqueued_batches),
            num_threads=value("num_batch_threads", os.cpu_count() or 1),
            thread_pool_name=value("thread_pool_name", cls.thread_pool_name),
            allowed_sizes=tuple(proto.allowed_batch_sizes),
            pad=proto.pad_variable_length_inputs,
            split=split,
            max_execution_size=min(largest, value("max_execution_batch_size", largest)) if split else largest,
        )
