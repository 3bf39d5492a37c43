"""The transformer's deployment form: the same picture from the same weights, with faster operations.

On a CPU, little of the trained form's time is arithmetic: mirrored borders are copied pixel by pixel, enlarged maps are
written only to be read once, and convolutions with 3 or 8 outputs leave most of a vector unit idle. Each function below
is an exact rewrite of one of these; results differ only by rounding.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.feed_forward.transformer import RESIDUAL_BLOCKS, StyleTransformer

# The side of the tiles in which a map with few channels is stored: 2, the network's upsampling factor. A tile's four
# pixels are stored as channels, as in space-to-depth.
TILE = 2


def reflect(x: Any, padding: int) -> Any:
    """Mirrors the border of a map [B, H, W, C] with slices; equals `ReflectionPadding2D`."""
    before, after = range(padding, 0, -1), range(-2, -padding - 2, -1)
    rows = [x[:, i : i + 1] for i in before], [x[:, i : i + 1] for i in after]
    x = tf.concat([*rows[0], x, *rows[1]], axis=1)
    columns = [x[:, :, i : i + 1] for i in before], [x[:, :, i : i + 1] for i in after]
    return tf.concat([*columns[0], x, *columns[1]], axis=2)


def pad_to_multiple(x: Any, multiple: int) -> Any:
    """Mirrors the bottom and right border like `PadToMultiple2D`, for a picture of unknown size.

    The number of rows to add depends on the size; with a computed number, nothing after it could be allocated in
    advance. So the maximum, one less than the multiple, is always added, and a stride drops the surplus: every fourth
    row from the first, from the second, and so on, has the rounded number of rows.
    """
    mirrored = range(-2, -multiple - 1, -1)
    x = tf.concat([x, *(x[:, i : i + 1] for i in mirrored)], axis=1)
    x = tf.concat([x, *(x[:, :, i : i + 1] for i in mirrored)], axis=2)
    every = [slice(first, first + 1 - multiple or None, multiple) for first in range(multiple)]
    return tf.nn.depth_to_space(tf.concat([x[:, rows, columns] for rows in every for columns in every], -1), multiple)


def repeat_edge(x: Any) -> Any:
    """Repeats the outermost pixels of a map once: equals mirroring after enlarging."""
    x = tf.concat([x[:, :1], x, x[:, -1:]], axis=1)
    return tf.concat([x[:, :, :1], x, x[:, :, -1:]], axis=2)


def repeat_first(x: Any) -> Any:
    """Repeats the first row and the first column of a map [B, H, W, C]."""
    x = tf.concat([x[:, :1], x], axis=1)
    return tf.concat([x[:, :, :1], x], axis=2)


def reflect_tiles(x: Any, padding: int) -> Any:
    """Mirrors the border of a map in tiles, by a multiple of TILE pixels, keeping its pixels in place."""
    for axis in (1, 2):
        before = [_mirrored_tile(x, axis, range(-first, -first - TILE, -1)) for first in range(-padding, 0, TILE)]
        after = [_mirrored_tile(x, axis, range(-2 - first, -2 - first - TILE, -1)) for first in range(0, padding, TILE)]
        x = tf.concat([*before, x, *after], axis)
    return x


def _mirrored_tile(x: Any, axis: int, pixels: range) -> Any:
    """A row or column of tiles, assembled from rows or columns of pixels in different tiles."""
    channels, parts = x.shape[-1] // TILE**2, []
    for place in range(TILE**2):
        pixel = pixels[place // TILE if axis == 1 else place % TILE]
        rows_or_columns = slice(pixel // TILE, pixel // TILE + 1 or None)
        strip = x[:, rows_or_columns] if axis == 1 else x[:, :, rows_or_columns]
        parts.append(strip[..., place * channels : (place + 1) * channels])
    return tf.concat(parts, axis=-1)


def by_tiles(kernel: np.ndarray) -> np.ndarray:
    """Rearranges a kernel [TILE * s, TILE * s, I, O] of stride TILE for a map in tiles: [s, s, TILE**2 * I, O]."""
    side, inputs, outputs = kernel.shape[0] // TILE, *kernel.shape[2:]
    tiles = kernel.reshape(side, TILE, side, TILE, inputs, outputs).transpose(0, 2, 1, 3, 4, 5)
    return tiles.reshape(side, side, -1, outputs)


def halving_kernel(kernel: np.ndarray) -> np.ndarray:
    """Rewrites a 3x3 convolution of stride 2 for a map in tiles.

    Args:
        kernel: [3, 3, inputs, outputs], of stride 2, for a map with its border mirrored.

    Returns:
        [2, 2, TILE**2 * inputs, outputs], of stride 1, for a map in tiles with its first row and column of tiles
        repeated: the only visible pixel of a repeated tile is the mirrored one.
    """
    return by_tiles(np.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0))))


def tiled_kernel(kernel: np.ndarray) -> np.ndarray:
    """Rewrites a kernel [k, k, I, O], k odd, from tiles to tiles: [s, s, TILE**2 * I, TILE**2 * O]."""
    side, _, inputs, outputs = kernel.shape
    tiled = np.zeros((side + TILE - 1, side + TILE - 1, inputs, TILE, TILE, outputs), kernel.dtype)
    for row, column in np.ndindex(TILE, TILE):
        tiled[row : row + side, column : column + side, :, row, column] = kernel
    return by_tiles(tiled.reshape(*tiled.shape[:3], -1))


def upsampled_kernel(kernel: np.ndarray) -> np.ndarray:
    """Folds nearest-neighbor upsampling by two into the following 3x3 convolution.

    An upsampled map has each pixel four times, so a 3x3 window of it covers 2x2 different pixels, a different 2x2 for
    each of the four positions of an output in its pixel. Their weights are the sums of the weights on the same pixel.

    Args:
        kernel: [3, 3, inputs, outputs], for the upsampled map.

    Returns:
        [3, 3, inputs, TILE**2 * outputs], for the small map with its edge repeated; outputs are in tiles.
    """
    # From the three taps on the upsampled map to the three pixels around the output's own, for each of its two
    # positions.
    folds = np.array([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]], kernel.dtype)
    folded = np.einsum("ayp,bxq,pqio->yxiabo", folds, folds, kernel)
    return folded.reshape(3, 3, kernel.shape[2], -1)


def normalize(x: Any, gamma: Any, beta: Any, epsilon: float, places: int = 1) -> Any:
    """Normalizes each channel over all its parts, then scales and shifts it.

    The variance is the mean of squared differences, not E[x^2] - E[x]^2, which saves no time and fails by rounding
    where the mean is large and the variance small, as for a drawing on white paper.

    Args:
        x: [B, H, W, places * C]; the places are parts of the same channel's map.
        gamma: [B, 1, 1, C], the style's scale.
        beta: [B, 1, 1, C], the style's shift.
        epsilon: added to the variance.
        places: number of parts of each channel.

    Returns:
        The shape of `x`.
    """

    def mean_of(values: Any) -> Any:
        mean = tf.reduce_mean(values, axis=(1, 2), keepdims=True)
        return sum(tf.split(mean, places, axis=-1)) / places if places > 1 else mean

    def everywhere(channels: Any) -> Any:
        return tf.concat([channels] * places, axis=-1) if places > 1 else channels

    mean = mean_of(x)
    variance = mean_of(tf.math.squared_difference(x, everywhere(mean)))
    scale = gamma * tf.math.rsqrt(variance + epsilon)
    return x * everywhere(scale) + everywhere(beta - mean * scale)


class InferenceForm:
    """A trained transformer, rewritten: the same picture from a content and a bottleneck, its weights constants."""

    def __init__(self, transformer: StyleTransformer) -> None:
        self._pad, self._crop = transformer.get_layer("pad"), transformer.get_layer("stylized_image")
        self._weights: dict[str, list[np.ndarray]] = {}
        self._epsilon: dict[str, float] = {}
        for layer in transformer.layers:
            if layer.name.endswith("_norm"):
                self._epsilon[layer.name] = layer.epsilon
                for part in (layer.gamma, layer.beta):
                    self._weights[f"{layer.name}/{part.name}"] = part.get_weights()
            elif layer.weights:
                self._weights[layer.name] = layer.get_weights()

    def __call__(self, content: Any, bottleneck: Any) -> Any:
        """Returns [1, H, W, 3] for a content picture [1, H, W, 3] and a bottleneck [1, 1, 1, D]."""
        x = pad_to_multiple(content, self._pad.multiple) if None in content.shape[1:3] else self._pad(content)
        x = self._contract(x)
        for index in range(1, RESIDUAL_BLOCKS + 1):
            x += self._residual(x, bottleneck, f"residual{index}")
        return self._crop([self._expand(x, bottleneck), content])

    def _contract(self, picture: Any) -> Any:
        kernel, bias = self._weights["contract_conv1"]
        tiles = tf.nn.space_to_depth(reflect(picture, kernel.shape[0] // 2), TILE)
        bias = np.tile(bias, TILE**2)
        tiles = tf.nn.relu(self._convolve(tiles, tiled_kernel(kernel), bias, "contract_conv1"))
        kernel, bias = self._weights["contract_conv2"]
        x = tf.nn.relu(self._convolve(repeat_first(tiles), halving_kernel(kernel), bias, "contract_conv2"))
        kernel, bias = self._weights["contract_conv3"]
        return tf.nn.relu(self._convolve(reflect(x, 1), kernel, bias, "contract_conv3", stride=2))

    def _residual(self, x: Any, bottleneck: Any, name: str) -> Any:
        for index, activation in ((1, tf.nn.relu), (2, tf.identity)):
            layer = f"{name}_conv{index}"
            kernel, bias = self._weights[layer]
            x = self._convolve(reflect(x, 1), kernel, bias, layer)
            x = activation(self._normalize(x, bottleneck, layer))
        return x

    def _expand(self, x: Any, bottleneck: Any) -> Any:
        # Without biases: the normalization would subtract them with the mean.
        def convolve(x: Any, rewrite: Any, name: str) -> Any:
            kernel, _ = self._weights[name]
            x = self._convolve(x, rewrite(kernel), None, name)
            return self._normalize(x, bottleneck, name, places=TILE**2)

        x = tf.nn.relu(convolve(repeat_edge(x), upsampled_kernel, "expand_conv1"))
        x = tf.nn.depth_to_space(x, TILE)
        x = tf.nn.relu(convolve(repeat_edge(x), upsampled_kernel, "expand_conv2"))
        side, _, _, _ = self._weights["expand_conv3"][0].shape
        x = tf.sigmoid(convolve(reflect_tiles(x, side // 2), tiled_kernel, "expand_conv3"))
        return tf.nn.depth_to_space(x, TILE)

    def _normalize(self, x: Any, bottleneck: Any, name: str, places: int = 1) -> Any:
        def project(part: str) -> Any:
            kernel, bias = self._weights[f"{name}_norm/{part}"]
            return self._convolve(bottleneck, kernel, bias, f"{name}_norm_{part}")

        return normalize(x, project("gamma"), project("beta"), self._epsilon[f"{name}_norm"], places)

    def _convolve(self, x: Any, kernel: np.ndarray, bias: np.ndarray | None, name: str, stride: int = 1) -> Any:
        # The quantization recipes match layers by these names.
        with tf.name_scope(name):
            x = tf.nn.conv2d(x, kernel, stride, "VALID")
            return x if bias is None else tf.nn.bias_add(x, bias)
