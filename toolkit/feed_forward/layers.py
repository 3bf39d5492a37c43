"""Layers that Keras does not have: reflection padding, nearest upsampling, conditional instance normalization."""

from typing import Any

import tensorflow as tf

from toolkit.framework.backend import PINNED_2D, keras, ops

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="styleport")
class ReflectionPadding2D(keras.layers.Layer):
    """Mirrors the border of a picture without repeating the edge pixel.

    Args:
        padding: pixels added on each of the four sides, at least 1 and less than the picture's sides.
    """

    def __init__(self, padding: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # === Config ===
        self.padding = padding

    def call(self, inputs: Any) -> Any:
        """Returns [B, H + 2p, W + 2p, C] for an input of [B, H, W, C]."""
        sides = (self.padding, self.padding)
        return ops.pad(inputs, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape with both sides enlarged by twice the padding."""
        batch, height, width, channels = input_shape
        grown = (side if side is None else side + 2 * self.padding for side in (height, width))
        return (batch, *grown, channels)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "padding": self.padding}


@keras.saving.register_keras_serializable(package="styleport")
class PadToMultiple2D(keras.layers.Layer):
    """Mirrors the bottom and right border until both sides are multiples of a number.

    A network that halves its input twice restores the input's size only if that is divisible by four.

    Args:
        multiple: divisor of the padded height and width, in pixels.
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # === Config ===
        self.multiple = multiple

    def call(self, inputs: Any) -> Any:
        """Returns [B, H', W', C], where H' and W' are the next multiples."""
        _, height, width, _ = ops.shape(inputs)
        bottom, right = -height % self.multiple, -width % self.multiple
        # Slices instead of a pad: TFLite loses the number of channels after a pad of unknown width.
        if not isinstance(bottom, int) or bottom:
            inputs = ops.concatenate([inputs, inputs[:, height - 2 : height - 2 - bottom : -1]], axis=1)
        if not isinstance(right, int) or right:
            inputs = ops.concatenate([inputs, inputs[:, :, width - 2 : width - 2 - right : -1]], axis=2)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape with both sides of the picture rounded up."""
        batch, height, width, channels = input_shape
        grown = (side if side is None else side + -side % self.multiple for side in (height, width))
        return (batch, *grown, channels)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="styleport")
class NearestUpsampling2D(keras.layers.Layer):
    """Repeats each pixel along both sides.

    `keras.layers.UpSampling2D` tiles a five-dimensional tensor, which a TFLite graph of unknown size does not support;
    this layer becomes a single resize operation.

    Args:
        factor: how many times each pixel is repeated, at least 1.
    """

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # === Config ===
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        """Returns [B, factor H, factor W, C] for an input of [B, H, W, C]."""
        _, height, width, _ = ops.shape(inputs)
        # keras.ops.image.resize does not accept a size that is known only at run time.
        return tf.image.resize(inputs, (self.factor * height, self.factor * width), method="nearest")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the input's shape with both sides of the picture multiplied."""
        batch, height, width, channels = input_shape
        grown = (side if side is None else self.factor * side for side in (height, width))
        return (batch, *grown, channels)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="styleport")
class CropLike2D(keras.layers.Layer):
    """Crops a picture to the height and width of another, from the top left corner."""

    def call(self, inputs: list[Any]) -> Any:
        """Returns the first picture [B, H, W, C] cropped to the size of the second [B, h, w, c]."""
        picture, reference = inputs
        if picture.shape[1:3] == reference.shape[1:3] and None not in reference.shape[1:3]:
            return picture
        _, height, width, _ = ops.shape(reference)
        return picture[:, :height, :width, :]

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Returns the first shape with the height and width of the second."""
        (batch, _, _, channels), (_, height, width, _) = input_shape
        return (batch, height, width, channels)


@keras.saving.register_keras_serializable(package="styleport")
class ConditionalInstanceNormalization(keras.layers.Layer):
    """Normalizes each channel of each picture, then scales and shifts it depending on the style.

    The scale (gamma) and shift (beta) are linear in the style's bottleneck, a 1x1 convolution each.
    Follows Ghiasi et al. 2017 (arXiv 1705.06830), section 3, after Dumoulin et al. 2017 (arXiv 1610.07629).

    Args:
        epsilon: added to the variance, so that a flat channel does not divide by zero.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # === Config ===
        self.epsilon = epsilon

    def build(self, input_shape: list[Shape]) -> None:
        """Creates the two projections from the bottleneck to the picture's channels."""
        picture, bottleneck = input_shape
        options = {**PINNED_2D, "dtype": self.dtype_policy}
        self.gamma = keras.layers.Conv2D(picture[-1], 1, name="gamma", **options)
        self.beta = keras.layers.Conv2D(picture[-1], 1, name="beta", **options)
        self.gamma.build(bottleneck)
        self.beta.build(bottleneck)

    def call(self, inputs: list[Any]) -> Any:
        """Returns [B, H, W, C] for a picture [B, H, W, C] and a bottleneck [B or 1, 1, 1, D]."""
        picture, bottleneck = inputs
        mean, variance = ops.moments(picture, axes=(1, 2), keepdims=True)
        scale = self.gamma(bottleneck) * ops.rsqrt(variance + self.epsilon)
        return picture * scale + (self.beta(bottleneck) - mean * scale)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Returns the picture's shape."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "epsilon": self.epsilon}
