"""Sums that add their terms in one order, so that a run on a CPU can be repeated to the bit.

Of sums of three and more, TensorFlow's optimizer of graphs makes AddN, and so does a gradient that flows back to a
tensor from three places. AddN begins with the term whose memory it can take, which depends on what is done by then.
"""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from toolkit.framework.custom_gradient import with_gradient


def ordered_sum(terms: Iterable[Any]) -> Any:
    """Adds tensors of one shape and dtype, the first first."""
    return tf.reduce_sum(tf.stack(list(terms)), axis=0)


def fan_out(x: Any, count: int) -> list[Any]:
    """Gives each of several readers its own copy of a tensor, so that their gradients are added in order."""
    if count == 1:
        return [x]
    return with_gradient(x, lambda x: [x] * count, lambda *upstream: ordered_sum(upstream))
