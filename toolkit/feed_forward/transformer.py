"""The style transformer, a network from a content picture and a bottleneck to the stylized picture."""

from typing import Any

from toolkit.feed_forward.layers import (
    ConditionalInstanceNormalization,
    CropLike2D,
    NearestUpsampling2D,
    PadToMultiple2D,
    ReflectionPadding2D,
)
from toolkit.framework.backend import PINNED, PINNED_2D, dtype_of, keras, layers

# (filters, kernel, stride) of the contracting half and (filters, kernel, upsampling) of the expanding half, as in the
# slim network that Magenta published for mobile devices: a quarter of the paper's width.
CONTRACT = ((8, 9, 1), (16, 3, 2), (32, 3, 2))
EXPAND = ((16, 3, 2), (8, 3, 2), (3, 9, 1))
RESIDUAL_BLOCKS = 5


def _convolution(x: Any, name: str, filters: int, kernel: int, stride: int = 1) -> Any:
    x = ReflectionPadding2D(kernel // 2, name=f"{name}_pad", **PINNED)(x)
    return layers.Conv2D(filters, kernel, stride, name=name, **PINNED_2D)(x)


def _residual_block(x: Any, bottleneck: Any, name: str) -> Any:
    shortcut, filters = x, x.shape[-1]
    x = _convolution(x, f"{name}_conv1", filters, 3)
    x = ConditionalInstanceNormalization(name=f"{name}_conv1_norm", **PINNED)([x, bottleneck])
    x = layers.ReLU(name=f"{name}_conv1_relu", **PINNED)(x)
    x = _convolution(x, f"{name}_conv2", filters, 3)
    x = ConditionalInstanceNormalization(name=f"{name}_conv2_norm", **PINNED)([x, bottleneck])
    return layers.Add(name=f"{name}_add", **PINNED)([shortcut, x])


@keras.saving.register_keras_serializable(package="styleport")
class StyleTransformer(keras.Model):
    """Convolutional network that repaints a content picture in the style of a bottleneck.

    The contracting half has no normalization: the published mobile weights have it folded in.
    Height and width may be anything from 16 pixels; the output has the content's size.
    Follows Ghiasi et al. 2017 (arXiv 1705.06830), table 1.

    Args:
        bottleneck_dim: length of the bottleneck.
        dtype: float32, whatever Keras's settings are.

    Raises:
        InputError: the dtype is not float32.

    Example:
        ```python
        transformer = StyleTransformer()
        transformer([content, bottleneck])  # [B, H, W, 3], [B or 1, 1, 1, 100] -> [B, H, W, 3] in [0, 1]
        ```
    """

    def __init__(self, bottleneck_dim: int = 100, dtype: Any = None, **kwargs: Any) -> None:
        dtype = dtype_of(type(self).__name__, dtype)
        # === Functional Model ===
        content = keras.Input((None, None, 3), name="content_image", **PINNED)
        bottleneck = keras.Input((1, 1, bottleneck_dim), name="style_bottleneck", **PINNED)
        x = PadToMultiple2D(4, name="pad", **PINNED)(content)
        for index, (filters, kernel, stride) in enumerate(CONTRACT, start=1):
            x = _convolution(x, f"contract_conv{index}", filters, kernel, stride)
            x = layers.ReLU(name=f"contract_conv{index}_relu", **PINNED)(x)
        for index in range(1, RESIDUAL_BLOCKS + 1):
            x = _residual_block(x, bottleneck, f"residual{index}")
        for index, (filters, kernel, upsampling) in enumerate(EXPAND, start=1):
            if upsampling > 1:
                x = NearestUpsampling2D(upsampling, name=f"expand_up{index}", **PINNED)(x)
            x = _convolution(x, f"expand_conv{index}", filters, kernel)
            x = ConditionalInstanceNormalization(name=f"expand_conv{index}_norm", **PINNED)([x, bottleneck])
            last = index == len(EXPAND)
            x = layers.Activation("sigmoid" if last else "relu", name=f"expand_conv{index}_activation", **PINNED)(x)
        stylized = CropLike2D(name="stylized_image", **PINNED)([x, content])
        super().__init__(inputs=[content, bottleneck], outputs=stylized, **kwargs)
        self.dtype_policy = dtype

        # === Config ===
        self.bottleneck_dim = bottleneck_dim

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"name": self.name, "trainable": self.trainable, "bottleneck_dim": self.bottleneck_dim}
