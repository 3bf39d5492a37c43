"""The Keras stylizer: style predictor and style transformer behind one call."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import presets
from toolkit.errors import InputError, MissingExtraError, WorkError, one_line
from toolkit.feed_forward.predictor import StylePredictor
from toolkit.feed_forward.transformer import StyleTransformer
from toolkit.framework import keras_file
from toolkit.framework.backend import DTYPE, PINNED, dtype_of, keras, ops
from toolkit.framework.tensors import as_tensor
from toolkit.imaging.validation import as_pictures, check_bottleneck, check_strength, check_styles
from toolkit.interface.bottleneck import interpolate
from toolkit.process import memory

# The inputs of a stylizer; all signatures use these names.
INPUTS = ("content_image", "style_image", "strength")


def _inputs_of(inputs: Any, strength: Any = None) -> tuple[Any, Any, Any]:
    """Splits an argument into content, style and optional strength."""
    if isinstance(inputs, Mapping):
        content, style, own = (inputs.get(name) for name in INPUTS)
        unknown = [str(name) for name in inputs if name not in INPUTS]
        if unknown:
            raise InputError(f"a stylizer has no input {unknown[0]!r}: it has {', '.join(INPUTS)}")
    elif isinstance(inputs, list | tuple) and len(inputs) in (2, 3):
        content, style, own = (*inputs, None)[:3]
    else:
        content, style, own = inputs, None, None
    if content is None or style is None:
        raise InputError(
            f"the {'content' if content is None else 'style'} is missing: give a content and a style, as two "
            f"arguments, in a list, or in a dict as {INPUTS[0]} and {INPUTS[1]}"
        )
    return content, style, strength if own is None else own


def _batches(content: Any, style: Any, strength: Any, size: int) -> Any:
    """Returns a dataset of batches of all inputs, by name.

    Keras does not do this: it converts floats to the dtype of its settings, and cannot share a style among contents.
    """
    import tensorflow as tf

    contents, styles = as_pictures(content, "content"), as_pictures(style, "style")
    check_styles(len(styles), len(contents))
    each = {INPUTS[0]: contents}
    if len(styles) == len(contents):
        each[INPUTS[1]] = styles
    if strength is not None:
        each[INPUTS[2]] = np.broadcast_to(np.asarray(strength, DTYPE), len(contents))
        check_strength(each[INPUTS[2]])
    batches = tf.data.Dataset.from_tensor_slices(each).batch(size)
    return batches if INPUTS[1] in each else batches.map(lambda batch: {**batch, INPUTS[1]: styles})


@keras.saving.register_keras_serializable(package="styleport")
class KerasStylizer(keras.Model):
    """Keras model that repaints content pictures in the style of other pictures, in one forward pass.

    Pictures may have any form (see `toolkit.imaging.validation`): arrays and tensors [B, H, W, 3] of floats in [0, 1]
    or of unsigned integers, or paths and Pillow images, each a batch of one. Float tensors stay as they are, so that
    gradients flow through them. Threads may share a stylizer; their calls run concurrently.

    Follows Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic stylization
    network" (arXiv 1705.06830), and keeps the calling convention of its TensorFlow Hub module.

    Args:
        bottleneck_dim: length of the bottleneck between predictor and transformer.
        dtype: float32, whatever Keras's settings are.

    Raises:
        InputError: the dtype is not float32.

    Example:
        ```python
        stylizer = KerasStylizer.from_preset("magenta-mobile")
        picture = stylizer(content, style)  # [B, H, W, 3], [B or 1, h, w, 3] float32 in [0, 1] -> [B, H, W, 3]

        bottleneck = stylizer.bottleneck(style)  # once per style
        pictures = [stylizer.transform(content, bottleneck) for content in contents]
        ```
    """

    pixel_cost = memory.KERAS

    def __init__(self, bottleneck_dim: int = 100, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(dtype=dtype_of(type(self).__name__, dtype), **kwargs)
        self.predictor = StylePredictor(bottleneck_dim, name="predictor")
        self.transformer = StyleTransformer(bottleneck_dim, name="transformer")

        # === Config ===
        self.bottleneck_dim = bottleneck_dim

        # Both networks create their weights at once, independent of the inputs.
        self.built = True

    @classmethod
    def from_preset(cls, name: str) -> "KerasStylizer":
        """Builds a stylizer with the embedded weights of a preset, dequantized to float32.

        Raises:
            InputError: there is no preset of that name.
        """
        weights = list(presets.weights(name))
        stylizer = cls(name=name.replace("-", "_"))
        with presets.damaged(presets.FOLDER / f"{name}.npz"):
            for path, kernel, bias in weights:
                network, layer_name, *part = path.split("/")
                layer = getattr(stylizer, network).get_layer(layer_name)
                for attribute in part:
                    layer = getattr(layer, attribute)
                layer.set_weights([kernel.reshape(layer.kernel.shape), bias])
        return stylizer

    @classmethod
    def from_file(cls, path: str | Path) -> "KerasStylizer":
        """Loads a stylizer that was saved with `save` as a `.keras` file.

        Raises:
            InputError: the file is missing or is not a stylizer.
        """
        return keras_file.load(path, cls)

    def bottleneck(self, style: Any) -> Any:
        """Computes the bottlenecks of style pictures.

        Args:
            style: [B, h, w, 3] float32 in [0, 1], sides from 16 pixels; the networks were trained on 256.

        Returns:
            [B, 1, 1, bottleneck_dim] float32.

        Raises:
            InputError: the shape is wrong.
        """
        return self.predictor(as_tensor(style, "style"))

    def transform(self, content: Any, bottleneck: Any) -> Any:
        """Repaints pictures in the style of a bottleneck.

        Args:
            content: [B, H, W, 3] float32 in [0, 1], sides from 16 pixels.
            bottleneck: [B or 1, 1, 1, bottleneck_dim] float32; a single bottleneck is used for all contents.

        Returns:
            [B, H, W, 3] float32 in [0, 1].

        Raises:
            InputError: a shape is wrong.
        """
        content = as_tensor(content, "content")
        check_bottleneck(bottleneck, self.bottleneck_dim, content.shape[0])
        return self.transformer([content, ops.convert_to_tensor(bottleneck)])

    def __call__(self, content: Any, style: Any = None, strength: Any = None, **kwargs: Any) -> Any:
        """Repaints pictures in the style of other pictures.

        Args:
            content: [B, H, W, 3] float32 in [0, 1], sides from 16 pixels. Or all inputs in one argument, as Keras
                passes them on: a content, a style and optionally a strength, in a list, a tuple, or a dict with the
                names of `INPUTS`.
            style: [B or 1, h, w, 3] float32 in [0, 1], sides from 16 pixels; the networks were trained on 256.
            strength: a number or [B], float32 in [0, 1]: from the content's own bottleneck (0) to the style's (1, the
                default).
            kwargs: passed on to Keras.

        Returns:
            [B, H, W, 3] float32 in [0, 1].

        Raises:
            InputError: a shape is wrong, the strength is out of range, or an input is missing.
        """
        if style is None:
            content, style, strength = _inputs_of(content, strength)
        if strength is not None and not keras.backend.is_keras_tensor(strength):
            strength = ops.convert_to_tensor(strength, dtype=DTYPE)
            # A symbolic tensor has no values yet; exporters add this check to the graph.
            if hasattr(strength, "numpy"):
                check_strength(strength.numpy())
        # Keras accepts only tensors by position, not numbers, paths or images.
        return super().__call__(as_tensor(content, "content"), as_tensor(style, "style"), strength=strength, **kwargs)

    def call(self, content: Any, style: Any, strength: Any = None) -> Any:
        """Implements `__call__`."""
        bottleneck = self.bottleneck(style)
        if strength is not None:
            weight = ops.reshape(strength, (-1, 1, 1, 1))
            bottleneck = interpolate(self.bottleneck(content), bottleneck, weight)
        return self.transform(content, bottleneck)

    def compute_output_shape(self, content_shape: Any, style_shape: Any = None, strength_shape: Any = None) -> Any:
        """Returns the content's shape; see `__call__` for the inputs."""
        if style_shape is None:
            content_shape, _, _ = _inputs_of(content_shape, strength_shape)
        return tuple(content_shape)

    def predict(self, x: Any, batch_size: int | None = None, *args: Any, **kwargs: Any) -> Any:
        """Repaints many pictures, a batch at a time.

        Args:
            x: a content, a style and optionally a strength, as one argument; see `__call__`. One style serves all
                contents. Or a dataset or a generator of batches: dicts with the names of `INPUTS`, or
                `((content, style),)`, because Keras takes the second element of a plain pair as the target.
            batch_size: contents per batch, at least 1; 32 by default.
            args: passed on to `keras.Model.predict`.
            kwargs: passed on to `keras.Model.predict`.

        Returns:
            [N, H, W, 3] float32 in [0, 1].

        Raises:
            InputError: see `__call__`; or the batch size is out of range.
        """
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size is {batch_size}: give at least 1")
        if isinstance(x, Mapping | list | tuple):
            x, batch_size = _batches(*_inputs_of(x), batch_size or 32), None
        return super().predict(x, batch_size, *args, **kwargs)

    def export(
        self,
        filepath: str | Path,
        format: str = "tf_saved_model",  # noqa: A002 Keras's name
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Exports the stylizer for inference; `styleport export` makes a bundle of verified artifacts.

        Args:
            filepath: the folder or file to write.
            format: a format of `keras.Model.export`. The exported model takes `content_image` and `style_image` by
                name, [B, H, W, 3] each, and returns `stylized_image`.
            verbose: whether Keras reports what it wrote.
            input_signature: the specs of a content and a style, for fixed sizes; any size by default.
            kwargs: passed on to `keras.Model.export`.

        Raises:
            InputError: the format is unknown, or a required package is not installed.
            WorkError: the stylizer cannot be expressed in the format, or the file cannot be written.
        """
        inputs = {name: keras.Input((None, None, 3), name=name, **PINNED) for name in INPUTS[:2]}
        if input_signature is not None:
            specs = zip(inputs, keras.tree.flatten(input_signature), strict=True)
            input_signature = [{name: keras.InputSpec(DTYPE, tuple(spec.shape), name=name) for name, spec in specs}]
        model = keras.Model(inputs, {"stylized_image": self(inputs)}, name=self.name)
        model(inputs)  # some formats require a model that was called before
        try:
            model.export(filepath, format, verbose, input_signature, **kwargs)
        except ImportError as error:
            raise MissingExtraError(f"cannot export as {format}: {one_line(error, most=200)}") from error
        except ValueError as error:
            raise InputError(f"cannot export as {format}: {one_line(error, most=200)}") from error
        except Exception as error:  # TensorFlow and the converters raise almost any exception
            raise WorkError(f"cannot export {filepath} as {format}: {one_line(error, most=200)}") from error

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {"name": self.name, "trainable": self.trainable, "bottleneck_dim": self.bottleneck_dim}
