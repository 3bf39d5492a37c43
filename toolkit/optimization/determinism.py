"""Sums with a fixed order of addition, so that a run on a CPU can be repeated bit for bit.

TensorFlow's graph optimizer turns sums of three or more terms into AddN, and so does a gradient that flows back to a
tensor from three places. AddN starts with the term whose memory it can reuse, which depends on timing.
"""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from toolkit.framework.custom_gradient import with_gradient


def ordered_sum(terms: Iterable[Any]) -> Any:
    """Adds tensors of one shape and dtype, in order."""
    return tf.reduce_sum(tf.stack(list(terms)), axis=0)


def fan_out(x: Any, count: int) -> list[Any]:
    """Gives each of several readers its own copy of a tensor, so that their gradients are added in order."""
    if count == 1:
        return [x]
    return with_gradient(x, lambda x: [x] * count, lambda *upstream: ordered_sum(upstream))
