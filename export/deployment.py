"""The transformer's deployment form: the same picture from the same weights, by operations that run fast.

On a CPU little of the trained form's time is arithmetic: mirrored borders are copied pixel by pixel, enlarged maps
are written out only to be read once, and convolutions of 3 or 8 outputs leave most of a vector unit idle. Each
function below is an exact rewrite of one of these; what the results differ by is rounding.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.transformer import CONTRACT, EXPAND, RESIDUAL_BLOCKS, StyleTransformer

# How many outputs of a 9x9 convolution are computed side by side, in each direction: with 2, the first has 32
# channels instead of 8 and the last 12 instead of 3, for 1.23 times the products.
TILE = 2


def _size(x: Any) -> tuple[Any, Any]:
    """Height and width, as numbers where they are known."""
    dynamic = tf.shape(x)
    return tuple(dynamic[axis] if x.shape[axis] is None else x.shape[axis] for axis in (1, 2))


def reflect(x: Any, padding: int) -> Any:
    """Mirrors the border of a map by slices, as `ReflectionPadding2D` does by a pad.

    Args:
        x: [B, H, W, C].
        padding: on each side.

    Returns:
        [B, H + 2 padding, W + 2 padding, C].
    """
    height, width = _size(x)
    before, after = range(padding, 0, -1), range(2, padding + 2)
    rows = [x[:, i : i + 1] for i in before], [x[:, height - i : height - i + 1] for i in after]
    x = tf.concat([*rows[0], x, *rows[1]], axis=1)
    columns = [x[:, :, i : i + 1] for i in before], [x[:, :, width - i : width - i + 1] for i in after]
    return tf.concat([*columns[0], x, *columns[1]], axis=2)


def repeat_edge(x: Any) -> Any:
    """Repeats the outermost pixels of a map once: what mirroring an enlarged map amounts to before enlarging.

    Args:
        x: [B, H, W, C].

    Returns:
        [B, H + 2, W + 2, C].
    """
    height, width = _size(x)
    x = tf.concat([x[:, :1], x, x[:, height - 1 :]], axis=1)
    return tf.concat([x[:, :, :1], x, x[:, :, width - 1 :]], axis=2)


def tiled_kernel(kernel: np.ndarray, tile: int) -> np.ndarray:
    """Widens a convolution's kernel so that it computes a tile of neighbouring outputs at once, as channels.

    Args:
        kernel: [k, k, inputs, outputs], of stride 1.
        tile: side of the tile.

    Returns:
        [k + tile - 1, k + tile - 1, inputs, tile * tile * outputs], of stride `tile`; its outputs, rearranged by
        depth-to-space, are those of the given kernel.
    """
    side, _, inputs, outputs = kernel.shape
    tiled = np.zeros((side + tile - 1, side + tile - 1, inputs, tile, tile, outputs), kernel.dtype)
    for row, column in np.ndindex(tile, tile):
        tiled[row : row + side, column : column + side, :, row, column] = kernel
    return tiled.reshape(*tiled.shape[:3], -1)


def upsampled_kernel(kernel: np.ndarray) -> np.ndarray:
    """Folds an enlargement by two, nearest neighbour, into the 3x3 convolution behind it.

    An enlarged map holds each pixel four times, so that a 3x3 window of it shows 2x2 different pixels, another
    2x2 for each of the four places of an output in its pixel. Their weights are the sums of those that fall on
    the same pixel.

    Args:
        kernel: [3, 3, inputs, outputs], for the enlarged map.

    Returns:
        [3, 3, inputs, 4 * outputs], for the small map with its edge repeated; depth-to-space gives the outputs.
    """
    # From the three taps on the enlarged map to the three pixels around the output's own, for the first and the
    # second of its two places.
    folds = np.array([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]], kernel.dtype)
    folded = np.einsum("ayp,bxq,pqio->yxiabo", folds, folds, kernel)
    return folded.reshape(3, 3, kernel.shape[2], -1)


def normalize(x: Any, gamma: Any, beta: Any, epsilon: float, places: int = 1) -> Any:
    """Normalises each channel, scales and shifts it, wherever its parts stand.

    The variance is the mean of squared differences, not E[x^2] - E[x]^2: that one saves no time and loses a drawing
    on white paper, where the mean is large and the variance small, to rounding.

    Args:
        x: [B, H, W, places * C]; the places are parts of the same channel's map.
        gamma: [B, 1, 1, C], the scale that the style asks for.
        beta: [B, 1, 1, C], the shift.
        epsilon: added to the variance.
        places: how many parts each channel is in.

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


class DeploymentForm:
    """A trained transformer, rewritten: called with a content picture and a bottleneck, gives the same picture.

    Args:
        transformer: the trained form; its weights become constants.
    """

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
        x = self._contract(self._pad(content))
        for index in range(1, RESIDUAL_BLOCKS + 1):
            x += self._residual(x, bottleneck, f"residual{index}")
        return self._crop([self._expand(x, bottleneck), content])

    def _contract(self, x: Any) -> Any:
        for index, (_, side, stride) in enumerate(CONTRACT, start=1):
            name = f"contract_conv{index}"
            kernel, bias = self._weights[name]
            padded = reflect(x, side // 2)
            if stride > 1:
                x = tf.nn.relu(self._convolve(padded, kernel, bias, name, stride))
            else:
                bias = np.tile(bias, TILE * TILE)
                tiles = self._convolve(padded, tiled_kernel(kernel, TILE), bias, name, TILE)
                x = tf.nn.depth_to_space(tf.nn.relu(tiles), TILE)
        return x

    def _residual(self, x: Any, bottleneck: Any, name: str) -> Any:
        for index, activation in ((1, tf.nn.relu), (2, tf.identity)):
            layer = f"{name}_conv{index}"
            kernel, bias = self._weights[layer]
            x = self._convolve(reflect(x, 1), kernel, bias, layer)
            x = activation(self._normalize(x, bottleneck, layer))
        return x

    def _expand(self, x: Any, bottleneck: Any) -> Any:
        for index, (_, side, upsampling) in enumerate(EXPAND, start=1):
            name = f"expand_conv{index}"
            # The bias is left out: the normalisation takes it away again with the mean.
            kernel, _ = self._weights[name]
            if upsampling > 1:
                x = self._convolve(repeat_edge(x), upsampled_kernel(kernel), None, name)
            else:
                x = self._convolve(reflect(x, side // 2), tiled_kernel(kernel, TILE), None, name, TILE)
            x = self._normalize(x, bottleneck, name, places=4)
            activation = tf.sigmoid if index == len(EXPAND) else tf.nn.relu
            x = tf.nn.depth_to_space(activation(x), 2)
        return x

    def _normalize(self, x: Any, bottleneck: Any, name: str, places: int = 1) -> Any:
        def project(part: str) -> Any:
            kernel, bias = self._weights[f"{name}_norm/{part}"]
            return self._convolve(bottleneck, kernel, bias, f"{name}_norm_{part}")

        return normalize(x, project("gamma"), project("beta"), self._epsilon[f"{name}_norm"], places)

    def _convolve(self, x: Any, kernel: np.ndarray, bias: np.ndarray | None, name: str, stride: int = 1) -> Any:
        # The names are what the quantisation recipes know the layers by.
        with tf.name_scope(name):
            x = tf.nn.conv2d(x, kernel, stride, "VALID")
            return x if bias is None else tf.nn.bias_add(x, bias)
