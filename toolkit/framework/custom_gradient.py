"""Functions with a custom gradient that is released together with the graphs it was traced in.

`tf.custom_gradient` enters each graph in a table that is never cleared: a process that paints many pictures would keep
the graphs of all of them, with their weights.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record


def with_gradient(x: Any, results: Callable[[Any], Sequence[Any]], gradient: Callable[..., Any]) -> list[Any]:
    """Returns the results of a tensor, whose `gradient` maps the gradients at the results to that at the tensor."""
    with record.stop_recording():
        # Copies: a result that is `x` itself would be both start and end of its gradient.
        tensors = [tf.identity(result) for result in results(x)]
    record.record_operation("OwnGradient", tensors, [x], lambda *upstream: [gradient(*upstream)])
    return tensors
