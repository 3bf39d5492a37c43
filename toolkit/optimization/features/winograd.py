"""Speeds up VGG19 on a CPU: 3x3 convolutions by Winograd's minimal filtering."""

import functools
import hashlib
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf

from toolkit.framework.backend import layers
from toolkit.framework.custom_gradient import with_gradient

# F(4x4, 3x3): a tile of 6x6 samples gives 4x4 results with 36 products instead of 144.
TILE, OUT = 6, 4

# Lavin and Gray 2015 (arXiv 1509.09308), section 4.3: G, which transforms a kernel to where products are pointwise. Its
# first and last row are negated here, so that their results are subtracted: TensorFlow merges sums of three terms into
# one operation, which adds in the order in which memory becomes free, and no run would repeat another bit for bit.
_KERNEL = np.array([[-6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, -24]]) / 24

# Measured against the direct convolutions of Eigen and of oneDNN: with few channels the transforms take longer
# than the products they save, and with few tiles reading the transformed kernel, four times the size, does.
WORTHWHILE_CHANNELS = 16
WORTHWHILE_TILES = 12
# Working memory of a strip of tiles: without a bound, it would be twice the picture's features.
STRIP_BYTES = 32_000_000


def tiles(side: int) -> int:
    """Returns how many tiles cover a side, in pixels."""
    return -(-side // OUT)


def is_worthwhile(height: int, width: int, channels: int, filters: int) -> bool:
    """Returns whether a 3x3 convolution is faster this way: the saved products outweigh the transforms."""
    return min(channels, filters) >= WORTHWHILE_CHANNELS and tiles(height) * tiles(width) >= WORTHWHILE_TILES


def _to_tile(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any) -> list[Any]:
    """Transforms samples along one axis: B^T of Lavin and Gray, with common subexpressions computed once."""
    fours, threes, twos, ones = d4 - 4 * d2, d3 - 4 * d1, d4 - d2, 2 * (d3 - d1)
    return [4 * d0 - 5 * d2 + d4, fours + threes, fours - threes, twos + ones, twos - ones, 4 * d1 - 5 * d3 + d5]


def _from_tile(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> list[Any]:
    """Transforms products to results along one axis: A^T of Lavin and Gray, for the kernel's signs."""
    near, nearer, far, farther = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    return [near - m0 + far, nearer + 2 * farther, near + 4 * far, nearer - m5 + 8 * farther]


# A picture size needs eleven graphs, some 40 MB. Only those of one size are kept, so that a series of sizes does not
# fill the memory.
@functools.lru_cache(maxsize=11)
def _strip_function(down: int, across: int, channels: int, filters: int, dtype: Any) -> Callable[..., Any]:
    """Builds the function of one strip of tiles, a graph of its own that layers and strips of a size share.

    Inlined everywhere, there would be so many nodes that TensorFlow took longer to optimize them than a hundred steps
    take. It uses slices, sums and plain matrix products, which are fast with and without oneDNN, unlike batched
    products and convolutions.
    """

    def convolve(samples: Any, kernel: list[Any]) -> Any:
        """Maps samples [OUT (down + 1), OUT (across + 1), C] to results [OUT down, OUT across, D]."""
        lines = tf.reshape(samples, (down + 1, OUT, OUT * (across + 1), channels))
        lines = tf.stack(_to_tile(*(lines[i // OUT : i // OUT + down, i % OUT] for i in range(TILE))))
        lines = tf.reshape(lines, (TILE * down, across + 1, OUT, channels))
        columns = _to_tile(*(lines[:, j // OUT : j // OUT + across, j % OUT] for j in range(TILE)))
        columns = [tf.reshape(column, (TILE, down * across, channels)) for column in columns]
        products = [
            tf.stack([tf.matmul(columns[j][i], kernel[TILE * i + j]) for i in range(TILE)]) for j in range(TILE)
        ]
        lines = tf.reshape(tf.stack(_from_tile(*products), axis=2), (TILE, down, OUT * across, filters))
        results = tf.stack(_from_tile(*tf.unstack(lines)), axis=1)
        return tf.reshape(results, (OUT * down, OUT * across, filters))

    samples = tf.TensorSpec((OUT * (down + 1), OUT * (across + 1), channels), dtype)
    kernel = [tf.TensorSpec((channels, filters), dtype)] * TILE**2
    function = tf.function(convolve, [samples, kernel], autograph=False, experimental_attributes={"_noinline": True})
    # Calling the function itself would count as retracing, which TensorFlow warns about.
    return function.get_concrete_function()


def _convolve(x: Any, kernel: list[Any]) -> Any:
    """Convolves [1, H, W, C] of a known shape with a transformed kernel, strip by strip."""
    _, height, width, channels = x.shape
    filters = kernel[0].shape[1]
    down, across = tiles(height), tiles(width)
    line = TILE**2 * across * (channels + filters) * x.dtype.size
    strips = -(-down // max(1, STRIP_BYTES // line))
    rows = -(-down // strips)
    # Zeros around the picture, and enough after it for whole tiles plus one, which the last tile overlaps.
    bottom, right = OUT * (strips * rows + 1) - 1 - height, OUT * (across + 1) - 1 - width
    samples = tf.pad(x[0], ((1, bottom), (1, right), (0, 0)))
    convolve = _strip_function(rows, across, channels, filters, x.dtype)
    starts = range(0, OUT * rows * strips, OUT * rows)
    results = [convolve(samples[start : start + OUT * (rows + 1)], kernel) for start in starts]
    return tf.concat(results, axis=0)[tf.newaxis, :height, :width]


def _transformed(kernel: np.ndarray) -> list[Any]:
    """Transforms a kernel [3, 3, C, D] to its 36 matrices [C, D]."""
    _, _, channels, filters = kernel.shape
    transform = np.kron(_KERNEL, _KERNEL).astype(kernel.dtype)
    matrices = (transform @ kernel.reshape(9, -1)).reshape(TILE**2, channels, filters)
    return [tf.constant(matrix) for matrix in matrices]


class WinogradConvolution:
    """A 3x3 convolution by a frozen kernel [3, 3, C, D], with zero padding.

    So is its gradient, with the kernel rotated by 180 degrees, and channels and filters swapped.
    """

    def __init__(self, kernel: np.ndarray) -> None:
        self._kernel = _transformed(kernel)
        self._turned = _transformed(kernel[::-1, ::-1].swapaxes(2, 3))

    def __call__(self, x: Any) -> Any:
        """Returns [1, H, W, D] for an input of [1, H, W, C], whose shape is known."""
        (result,) = with_gradient(
            x, lambda x: [_convolve(x, self._kernel)], lambda upstream: _convolve(upstream, self._turned)
        )
        return result


# The kernels do not depend on the size and take eight times the memory of the weights, so runs of an extractor share
# them.
_convolutions: WeakKeyDictionary[Any, dict[str, tuple[bytes, WinogradConvolution]]] = WeakKeyDictionary()


def _convolution(features: Any, layer: Any) -> WinogradConvolution:
    """Returns the convolution of a layer, rebuilt if the layer's weights have changed."""
    kernel, known = np.asarray(layer.kernel), _convolutions.setdefault(features, {})
    digest = hashlib.sha256(kernel.tobytes()).digest()
    if layer.name not in known or known[layer.name][0] != digest:
        with tf.init_scope():  # because it outlives a graph under construction
            known[layer.name] = digest, WinogradConvolution(kernel)
    return known[layer.name][1]


class FastFeatures:
    """A final `VGG19Features` for one picture of one size in pixels, with this machine's fastest convolutions."""

    def __init__(self, features: Any, height: int, width: int) -> None:
        self._features = features
        self._convolutions: dict[str, WinogradConvolution] = {}
        if tf.config.list_physical_devices("GPU"):
            return  # cuDNN chooses from its own Winograd kernels
        for layer in features.layers:
            if isinstance(layer, layers.MaxPooling2D | layers.AveragePooling2D):
                height, width = height // 2, width // 2
            elif isinstance(layer, layers.Conv2D) and is_worthwhile(height, width, *layer.kernel.shape[2:]):
                self._convolutions[layer.name] = _convolution(features, layer)

    @property
    def accelerated(self) -> tuple[str, ...]:
        """The names of the convolutions that run by Winograd's algorithm."""
        return tuple(self._convolutions)

    def __call__(self, picture: Any) -> dict[str, Any]:
        """Returns the extractor's outputs for a picture [1, height, width, 3]."""
        wanted, outputs, x = self._features.layer_names, {}, picture
        for layer in self._features.layers[1:]:  # the first is the input
            if layer.name in self._convolutions:
                x = layer.activation(self._convolutions[layer.name](x) + layer.bias)
            else:
                x = layer(x)
            if layer.name in wanted:
                outputs[layer.name] = x
        return outputs
