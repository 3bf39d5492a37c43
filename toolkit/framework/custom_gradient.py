"""A function of a tensor with a gradient of its own, forgotten together with the graphs it was traced in.

`tf.custom_gradient` enters each graph in a table that is never cleared: a process that paints many pictures keeps the
graphs of all of them, and the weights in those.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record


def with_gradient(x: Any, results: Callable[[Any], Sequence[Any]], gradient: Callable[..., Any]) -> list[Any]:
    """Calls a function whose gradient is not to be derived from its operations.

    Args:
        x: a tensor.
        results: gives tensors for it.
        gradient: gives the gradient at `x` for the gradients at each of the results.
    """
    with record.stop_recording():
        # Copies: a result that is `x` itself would be its own gradient's beginning and end.
        tensors = [tf.identity(result) for result in results(x)]
    record.record_operation("OwnGradient", tensors, [x], lambda *upstream: [gradient(*upstream)])
    return tensors
