"""Keeps the bottlenecks of the styles used last, so that a style is read once however often it comes."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np


class BottleneckCache:
    """Bottlenecks by what their style pictures show; the one not used for longest makes room.

    Threads may share one. While one of them reads a new style, others that ask for a bottleneck wait, so that no style
    is read twice.

    Args:
        size: how many are kept; 0 keeps none.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, picture: np.ndarray, read: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Returns a style's bottleneck, reading the picture only if it is new; `read` may not ask this cache."""
        samples = np.ascontiguousarray(picture)
        digest = hashlib.sha256(f"{samples.shape} {samples.dtype.str} ".encode())
        digest.update(samples.data)
        key = digest.digest()
        with self._lock:
            bottleneck = self._kept.pop(key, None)
            if bottleneck is None:
                bottleneck = read(picture)
            self._kept[key] = bottleneck
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return bottleneck
