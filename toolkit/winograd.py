"""The same features in less time on a CPU: deep convolutions by Winograd's minimal filtering."""

from typing import Any

import numpy as np
import tensorflow as tf
from keras import layers

# F(4x4, 3x3): a tile of 6x6 samples gives 4x4 results with 36 products instead of 144.
TILE, OUT = 6, 4

# Lavin and Gray 2015 (arXiv 1509.09308), section 4.3: what takes samples, kernel and products to and fro.
_SAMPLES = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
_RESULTS = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])

# Measured against oneDNN's direct convolution: transforms run at half its rate, and with few tiles reading
# the transformed kernel, four times the size, takes longer than the products.
WORTHWHILE_SHARE = 0.5
WORTHWHILE_TILES = 24


def tiles(side: int) -> int:
    """Returns how many tiles cover a side of so many pixels."""
    return -(-side // OUT)


def is_worthwhile(height: int, width: int, channels: int, filters: int) -> bool:
    """Tells whether a 3x3 convolution is faster this way.

    Args:
        height: of the input, pixels.
        width: of the input, pixels.
        channels: of the input.
        filters: channels of the output.

    Returns:
        True if the products saved outweigh those of the transforms.
    """
    down, across = tiles(height), tiles(width)
    products = (TILE * down) * (TILE * across) * channels * filters
    transforms = (channels + filters) * (TILE * down) * width * (height + TILE * across)
    share = (products + transforms) / (9 * height * width * channels * filters)
    return share < WORTHWHILE_SHARE and down * across >= WORTHWHILE_TILES


def _transforms(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrices from samples to tiles [6 tiles, side], padding included, and back [side, 6 tiles]."""
    count = tiles(side)
    into, back = np.zeros((TILE, count, side), np.float32), np.zeros((side, TILE, count), np.float32)
    for tile in range(count):
        for offset in range(TILE):
            place = OUT * tile - 1 + offset
            if 0 <= place < side:
                into[:, tile, place] = _SAMPLES[:, offset]
        for offset in range(min(OUT, side - OUT * tile)):
            back[OUT * tile + offset, :, tile] = _RESULTS[offset]
    return into.reshape(TILE * count, side), back.reshape(side, TILE * count)


class WinogradConvolution:
    """A 3x3 convolution with zero padding over pictures of one size, with frozen weights.

    A picture's transforms are products with small fixed matrices, which padding and cropping are part of, so
    that everything is a matrix product and the gradient is too.

    Args:
        kernel: [3, 3, C, D].
        height: of the input, pixels.
        width: of the input, pixels.
    """

    def __init__(self, kernel: np.ndarray, height: int, width: int) -> None:
        _, _, self.channels, self.filters = kernel.shape
        self.height, self.width = height, width
        transformed = np.kron(_KERNEL, _KERNEL) @ kernel.reshape(9, -1).astype(np.float64)
        transformed = transformed.astype(kernel.dtype).reshape(TILE * TILE, self.channels, self.filters)
        self.kernel = tf.constant(transformed)
        self.rows_in, self.rows_out = (tf.constant(matrix, kernel.dtype) for matrix in _transforms(height))
        self.columns_in, self.columns_out = (tf.constant(matrix, kernel.dtype) for matrix in _transforms(width))

    def __call__(self, x: Any) -> Any:
        """Returns [1, height, width, D] for an input of [1, height, width, C]."""
        down, across = tiles(self.height), tiles(self.width)
        x = tf.matmul(self.rows_in, tf.reshape(x, (self.height, self.width * self.channels)))
        x = tf.matmul(self.columns_in, tf.reshape(x, (TILE * down, self.width, self.channels)))
        x = _swapped(x, (TILE, down, TILE, across, self.channels))
        x = tf.matmul(tf.reshape(x, (TILE * TILE, down * across, self.channels)), self.kernel)
        x = _swapped(x, (TILE, TILE, down, across, self.filters))
        x = tf.matmul(self.columns_out, tf.reshape(x, (TILE * down, TILE * across, self.filters)))
        x = tf.matmul(self.rows_out, tf.reshape(x, (TILE * down, self.width * self.filters)))
        return tf.reshape(x, (1, self.height, self.width, self.filters))


def _swapped(x: Any, shape: tuple[int, ...]) -> Any:
    return tf.transpose(tf.reshape(x, shape), (0, 2, 1, 3, 4))


class FastFeatures:
    """A feature extractor for one picture of one size, its convolutions the fastest way the machine has.

    Args:
        features: a `VGG19Features`, its weights final.
        height: of the picture, pixels.
        width: of the picture, pixels.
    """

    def __init__(self, features: Any, height: int, width: int) -> None:
        self._features = features
        self._convolutions: dict[str, WinogradConvolution] = {}
        if tf.config.list_physical_devices("GPU"):
            return  # cuDNN chooses among its own Winograd kernels
        for layer in features.layers:
            if isinstance(layer, layers.MaxPooling2D | layers.AveragePooling2D):
                height, width = height // 2, width // 2
            elif isinstance(layer, layers.Conv2D):
                channels = layer.kernel.shape[2]
                if is_worthwhile(height, width, channels, layer.filters):
                    kernel = np.asarray(layer.kernel)
                    self._convolutions[layer.name] = WinogradConvolution(kernel, height, width)

    @property
    def accelerated(self) -> tuple[str, ...]:
        """The names of the convolutions that run by Winograd's algorithm."""
        return tuple(self._convolutions)

    def __call__(self, picture: Any) -> dict[str, Any]:
        """Returns what the extractor gives for a picture [1, height, width, 3]."""
        wanted, outputs, x = self._features.layer_names, {}, picture
        for layer in self._features.layers[1:]:  # the first is the input
            if layer.name in self._convolutions:
                x = layer.activation(self._convolutions[layer.name](x) + layer.bias)
            else:
                x = layer(x)
            if layer.name in wanted:
                outputs[layer.name] = x
        return outputs
