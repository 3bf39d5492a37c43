"""The arbitrary stylizer: style predictor and style transformer behind one call."""

from pathlib import Path
from typing import Any

from toolkit import keras_file, presets
from toolkit.backend import dtype_of, keras, ops
from toolkit.bottleneck import interpolate
from toolkit.inputs import check_bottleneck, check_strength
from toolkit.predictor import StylePredictor
from toolkit.tensors import as_tensor
from toolkit.transformer import StyleTransformer


@keras.saving.register_keras_serializable(package="styleport")
class Stylizer(keras.Model):
    """Repaints content pictures in the style of other pictures, in one forward pass.

    Pictures are taken in any form (see `toolkit.inputs`): arrays and tensors [B, H, W, 3] of floats in [0, 1] or of
    unsigned integers, or paths and Pillow images, one of which is a batch of one. Tensors of floats stay as they are,
    so that gradients flow through them. Threads may share a stylizer; their calls run at the same time.

    Follows Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic stylization
    network" (arXiv 1705.06830), and keeps the calling convention of its TensorFlow Hub module.

    Args:
        bottleneck_dim: length of the bottleneck between predictor and transformer.
        dtype: float32, whatever Keras's settings are.

    Raises:
        InputError: the dtype is another one.

    Example:
        ```python
        stylizer = Stylizer.from_preset("magenta-mobile")
        picture = stylizer(content, style)  # [B, H, W, 3], [B or 1, h, w, 3] float32 in [0, 1] -> [B, H, W, 3]

        bottleneck = stylizer.bottleneck(style)  # once a style
        pictures = [stylizer.transform(content, bottleneck) for content in contents]
        ```
    """

    def __init__(self, bottleneck_dim: int = 100, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(dtype=dtype_of(type(self).__name__, dtype), **kwargs)
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

    @classmethod
    def from_file(cls, path: str | Path) -> "Stylizer":
        """Loads a stylizer that was saved with `save`.

        Args:
            path: a `.keras` file.

        Returns:
            The stylizer.

        Raises:
            InputError: the file is missing or is no stylizer.
        """
        return keras_file.load(path, cls)

    def bottleneck(self, style: Any) -> Any:
        """Reads the style of pictures.

        Args:
            style: [B, h, w, 3] float32 in [0, 1], sides from 16 pixels; the networks were trained on 256.

        Returns:
            [B, 1, 1, bottleneck_dim] float32.

        Raises:
            InputError: the shape is another one.
        """
        return self.predictor(as_tensor(style, "style"))

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
        content = as_tensor(content, "content")
        check_bottleneck(bottleneck, self.bottleneck_dim, content.shape[0])
        return self.transformer([content, ops.convert_to_tensor(bottleneck)])

    def __call__(self, content: Any, style: Any, strength: Any = None, **kwargs: Any) -> Any:
        """Repaints pictures in the style of other pictures.

        Args:
            content: [B, H, W, 3] float32 in [0, 1], sides from 16 pixels.
            style: [B or 1, h, w, 3] float32 in [0, 1], sides from 16 pixels; the networks were trained on 256.
            strength: a number or [B], float32 in [0, 1]: between the content's own bottleneck (0) and the
                style's (1, the default).
            kwargs: passed on to Keras.

        Returns:
            [B, H, W, 3] float32 in [0, 1].

        Raises:
            InputError: a shape or the strength is out of range.
        """
        if strength is not None:
            strength = ops.convert_to_tensor(strength, dtype="float32")
            # A tensor of a graph has no values yet; an exporter puts this check into the graph.
            if hasattr(strength, "numpy"):
                check_strength(strength.numpy())
        # Keras takes tensors by position, but no numbers, paths or images.
        return super().__call__(as_tensor(content, "content"), as_tensor(style, "style"), strength=strength, **kwargs)

    def call(self, content: Any, style: Any, strength: Any = None) -> Any:
        """Does what calling the stylizer does; see there."""
        bottleneck = self.bottleneck(style)
        if strength is not None:
            weight = ops.reshape(strength, (-1, 1, 1, 1))
            bottleneck = interpolate(self.bottleneck(content), bottleneck, weight)
        return self.transform(content, bottleneck)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"name": self.name, "trainable": self.trainable, "bottleneck_dim": self.bottleneck_dim}
