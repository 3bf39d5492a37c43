"""Caches the bottlenecks of recent styles, so that a repeated style is read only once."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np


class BottleneckCache:
    """A least-recently-used cache of `size` bottlenecks, or of none, keyed by the content of the style pictures.

    Threads may share a cache. While a thread reads a new style, other threads wait, so that no style is read twice.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, picture: np.ndarray, read: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Returns a style's bottleneck, calling `read` only for a new picture; `read` must not use this cache."""
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
