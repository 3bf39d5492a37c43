"""The style predictor, a network from a style picture to its bottleneck."""

from typing import Any

from toolkit.framework.backend import PINNED, PINNED_2D, dtype_of, keras, layers

# MobileNetV2's inverted residual blocks (Sandler et al. 2018, arXiv 1801.04381, table 2):
# expansion factor, output channels, repetitions, stride of the first repetition.
INVERTED_RESIDUALS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _inverted_residual(x: Any, name: str, expansion: int, channels: int, stride: int) -> Any:
    shortcut, depth = x, x.shape[-1]
    if expansion > 1:
        x = layers.Conv2D(expansion * depth, 1, name=f"{name}_expand", **PINNED_2D)(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu", **PINNED)(x)
    x = layers.DepthwiseConv2D(3, stride, padding="same", name=f"{name}_depthwise", **PINNED_2D)(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu", **PINNED)(x)
    x = layers.Conv2D(channels, 1, name=f"{name}_project", **PINNED_2D)(x)
    if stride == 1 and depth == channels:
        x = layers.Add(name=f"{name}_add", **PINNED)([shortcut, x])
    return x


@keras.saving.register_keras_serializable(package="styleport")
class StylePredictor(keras.Model):
    """MobileNetV2 network that maps a style picture to its bottleneck.

    Batch normalization is folded into the convolutions, as in the published mobile weights.
    Follows Ghiasi et al. 2017 (arXiv 1705.06830) with the extractor of Sandler et al. 2018 (arXiv 1801.04381).

    Args:
        bottleneck_dim: length of the bottleneck.
        dtype: float32, whatever Keras's settings are.

    Raises:
        InputError: the dtype is not float32.

    Example:
        ```python
        predictor = StylePredictor()
        predictor(style)  # [B, H, W, 3] float32 in [0, 1] -> [B, 1, 1, 100]
        ```
    """

    def __init__(self, bottleneck_dim: int = 100, dtype: Any = None, **kwargs: Any) -> None:
        dtype = dtype_of(type(self).__name__, dtype)
        # === Functional Model ===
        style = keras.Input((None, None, 3), name="style_image", **PINNED)
        x = layers.Conv2D(32, 3, 2, padding="same", name="conv", **PINNED_2D)(style)
        x = layers.ReLU(6.0, name="conv_relu", **PINNED)(x)
        block = 0
        for expansion, channels, repetitions, first_stride in INVERTED_RESIDUALS:
            for repetition in range(repetitions):
                stride = 1 if repetition else first_stride
                name = f"expanded_conv_{block}" if block else "expanded_conv"
                x = _inverted_residual(x, name, expansion, channels, stride)
                block += 1
        x = layers.Conv2D(1280, 1, name="conv_1", **PINNED_2D)(x)
        x = layers.ReLU(6.0, name="conv_1_relu", **PINNED)(x)
        x = layers.GlobalAveragePooling2D(keepdims=True, name="pool", **PINNED_2D)(x)
        bottleneck = layers.Conv2D(bottleneck_dim, 1, name="style_bottleneck", **PINNED_2D)(x)
        super().__init__(inputs=style, outputs=bottleneck, **kwargs)
        self.dtype_policy = dtype

        # === Config ===
        self.bottleneck_dim = bottleneck_dim

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"name": self.name, "trainable": self.trainable, "bottleneck_dim": self.bottleneck_dim}
