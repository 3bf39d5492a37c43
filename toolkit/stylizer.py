"""The arbitrary stylizer: style predictor and style transformer behind one call."""

from typing import Any

import keras
from keras import ops

from toolkit import presets
from toolkit.bottleneck import interpolate
from toolkit.errors import InputError
from toolkit.predictor import StylePredictor
from toolkit.transformer import StyleTransformer

# Under this the reflected borders of the 9x9 convolutions are wider than what is left after two halvings.
MIN_SIDE = 16


def _check_picture(name: str, picture: Any) -> None:
    shape = tuple(picture.shape)
    if len(shape) != 4 or shape[-1] != 3:
        raise InputError(f"{name} has shape {shape}: give [batch, height, width, 3]")
    if any(isinstance(side, int) and side < MIN_SIDE for side in shape[1:3]):
        raise InputError(f"{name} is {shape[2]}x{shape[1]} pixels: both sides must be at least {MIN_SIDE}")


@keras.saving.register_keras_serializable(package="styleport")
class Stylizer(keras.Model):
    """Repaints content pictures in the style of other pictures, in one forward pass.

    Follows Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic stylization
    network" (arXiv 1705.06830), and keeps the calling convention of its TensorFlow Hub module.

    Args:
        bottleneck_dim: length of the bottleneck between predictor and transformer.

    Example:
        stylizer = Stylizer.from_preset("magenta-mobile")
        picture = stylizer(content, style)  # [B, H, W, 3], [B or 1, h, w, 3] float32 in [0, 1] -> [B, H, W, 3]

        bottleneck = stylizer.bottleneck(style)  # once a style
        pictures = [stylizer.transform(content, bottleneck) for content in contents]
    """

    def __init__(self, bottleneck_dim: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.predictor = StylePredictor(bottleneck_dim, name="predictor")
        self.transformer = StyleTransformer(bottleneck_dim, name="transformer")

        # === Config ===
        self.bottleneck_dim = bottleneck_dim

        # Both networks have their weights from the start, whatever is put in later.
        self.built = True

    @classmethod
    def from_preset(cls, name: str) -> "Stylizer":
        """Builds a stylizer with embedded weights.

        Args:
            name: a preset, such as `magenta-mobile`.

        Returns:
            The stylizer, its weights dequantised to float32.

        Raises:
            InputError: there is no preset of that name.
        """
        weights = list(presets.weights(name))
        stylizer = cls(name=name.replace("-", "_"))
        for path, kernel, bias in weights:
            network, layer_name, *part = path.split("/")
            layer = getattr(stylizer, network).get_layer(layer_name)
            for attribute in part:
                layer = getattr(layer, attribute)
            layer.set_weights([kernel.reshape(layer.kernel.shape), bias])
        return stylizer

    def bottleneck(self, style: Any) -> Any:
        """Reads the style of pictures.

        Args:
            style: [B, h, w, 3] float32 in [0, 1], sides from 16 pixels; the networks were trained on 256.

        Returns:
            [B, 1, 1, bottleneck_dim] float32.

        Raises:
            InputError: the shape is another one.
        """
        _check_picture("style", style)
        return self.predictor(ops.convert_to_tensor(style))

    def transform(self, content: Any, bottleneck: Any) -> Any:
        """Repaints pictures in the style of a bottleneck.

        Args:
            content: [B, H, W, 3] float32 in [0, 1], sides from 16 pixels.
            bottleneck: [B or 1, 1, 1, bottleneck_dim] float32; one is used for all contents.

        Returns:
            [B, H, W, 3] float32 in [0, 1].

        Raises:
            InputError: a shape is another one.
        """
        _check_picture("content", content)
        if len(bottleneck.shape) != 4 or tuple(bottleneck.shape[1:]) != (1, 1, self.bottleneck_dim):
            raise InputError(
                f"bottleneck has shape {tuple(bottleneck.shape)}: give [batch, 1, 1, {self.bottleneck_dim}]"
            )
        contents, styles = content.shape[0], bottleneck.shape[0]
        if contents is not None and styles not in (None, 1, contents):
            raise InputError(f"{contents} contents and {styles} styles: give one style, or one for each content")
        return self.transformer([ops.convert_to_tensor(content), ops.convert_to_tensor(bottleneck)])

    def call(self, content: Any, style: Any, strength: Any = None) -> Any:
        """Repaints pictures in the style of other pictures.

        Args:
            content: [B, H, W, 3] float32 in [0, 1], sides from 16 pixels.
            style: [B or 1, h, w, 3] float32 in [0, 1], sides from 16 pixels; the networks were trained on 256.
            strength: a number or [B], float32 in [0, 1]: between the content's own bottleneck (0) and the
                style's (1, the default).

        Returns:
            [B, H, W, 3] float32 in [0, 1].

        Raises:
            InputError: a shape or the strength is out of range.
        """
        bottleneck = self.bottleneck(style)
        if strength is not None:
            if not isinstance(strength, int | float):
                strength = ops.reshape(ops.cast(strength, "float32"), (-1, 1, 1, 1))
            bottleneck = interpolate(self.bottleneck(content), bottleneck, strength)
        return self.transform(content, bottleneck)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"name": self.name, "trainable": self.trainable, "bottleneck_dim": self.bottleneck_dim}
