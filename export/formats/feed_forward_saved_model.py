"""Exports a stylizer as a SavedModel: a drop-in for the TensorFlow Hub module, with signatures for serving."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from export.artifact import Artifact
from export.exportable import SplitModel
from export.exporter import Exporter
from export.formats.signatures import of_saved_model
from export.rewrites import image_bytes
from toolkit.errors import in_one_line
from toolkit.imaging.validation import MIN_SIDE
from toolkit.interface.bottleneck import interpolate
from toolkit.runtimes.saved_model import SavedModelStylizer

PICTURES = (None, None, None, 3)
# Custom gradients are for training; saved with the model, they would need variables that are constants here.
SAVE_OPTIONS = tf.saved_model.SaveOptions(experimental_custom_gradients=False)


def checked(picture: Any, name: str, min_side: int = MIN_SIDE) -> Any:
    """Adds a run-time check of the pictures' sides to the graph."""
    message = f"{name} has a side under {min_side} pixels"
    check = tf.debugging.assert_greater_equal(tf.reduce_min(tf.shape(picture)[1:3]), min_side, message)
    with tf.control_dependencies([check]):
        return tf.identity(picture)


def _tensor(name: str, shape: tuple[int | None, ...], dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name)


def function_of(call: Callable[..., Any], specs: Sequence[tf.TensorSpec]) -> Any:
    """Builds a `tf.function` with arguments named like their specs, to be called by position and by name."""

    def named(*tensors: Any) -> Any:
        return call(*tensors)

    parameters = [inspect.Parameter(spec.name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for spec in specs]
    named.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return tf.function(named, specs)


def bytes_function(paint: Callable[..., Any], max_size: int, roles: Sequence[str] = ("content", "style")) -> Any:
    """Builds the function behind `image_bytes`, of a batch of encoded pictures for each role.

    `paint` maps a picture of each role, [1, H, W, 3] tensors, to the stylized picture. The longer side of each is
    reduced to `max_size` pixels.
    """

    def stylize_bytes(encoded: Any) -> Any:
        pictures = [image_bytes.decode(contents, max_size, MIN_SIDE)[tf.newaxis] for contents in encoded]
        return image_bytes.encode(paint(*pictures)[0])

    def from_bytes(*batches: Any) -> dict[str, Any]:
        for batch in batches[1:]:
            tf.debugging.assert_equal(
                tf.size(batches[0]), tf.size(batch), "as many style pictures as content pictures are needed"
            )
        # One at a time: the pictures of a batch have different sizes, and this bounds the memory.
        encoded = tf.map_fn(stylize_bytes, batches, fn_output_signature=tf.string, parallel_iterations=1)
        return {"stylized_image_bytes": encoded}

    return function_of(from_bytes, [_tensor(f"{role}_image_bytes", (None,), tf.string) for role in roles])


def serving_functions(stylizer: SplitModel, max_size: int) -> dict[str, Any]:
    """Builds a `tf.function` for each of `toolkit.runtimes.saved_model.SIGNATURES`; see `save` for the size."""
    content, style = _tensor("content_image", PICTURES), _tensor("style_image", PICTURES)
    style_bottleneck = _tensor("style_bottleneck", (None, 1, 1, stylizer.bottleneck_dim))

    def bottleneck_of(picture: Any, name: str = "style_image") -> Any:
        return stylizer.predictor(checked(picture, name))

    def repaint(content_image: Any, bottleneck: Any) -> Any:
        return stylizer.transformer([checked(content_image, "content_image"), bottleneck])

    def serving_default(content_image: Any, style_image: Any) -> dict[str, Any]:
        return {"stylized_image": repaint(content_image, bottleneck_of(style_image))}

    def strength(content_image: Any, style_image: Any, strength: Any) -> dict[str, Any]:
        tf.debugging.assert_greater_equal(strength, 0.0, "strength is under 0")
        tf.debugging.assert_less_equal(strength, 1.0, "strength is over 1")
        own = bottleneck_of(content_image, "content_image")
        mixed = interpolate(own, bottleneck_of(style_image), tf.reshape(strength, (-1, 1, 1, 1)))
        return {"stylized_image": repaint(content_image, mixed)}

    def bottleneck(style_image: Any) -> dict[str, Any]:
        return {"style_bottleneck": bottleneck_of(style_image)}

    def transform(content_image: Any, style_bottleneck: Any) -> dict[str, Any]:
        return {"stylized_image": repaint(content_image, style_bottleneck)}

    return {
        "serving_default": tf.function(serving_default, [content, style]),
        "strength": tf.function(strength, [content, style, _tensor("strength", (None,))]),
        "bottleneck": tf.function(bottleneck, [style]),
        "transform": tf.function(transform, [content, style_bottleneck]),
        "image_bytes": bytes_function(lambda content, style: repaint(content, bottleneck_of(style)), max_size),
    }


def save(stylizer: SplitModel, folder: Path, max_size: int = 1024) -> None:
    """Writes a SavedModel that runs without this project: no Python, no custom operations.

    Loaded through TensorFlow Hub, it has the arbitrary stylization module's calling convention,
    `hub.load(folder)(content, style)[0]`. `image_bytes` reduces the longer side of each picture to `max_size` pixels.
    """
    # The variables, not the model: the result must load without Keras and this project.
    save_functions(serving_functions(stylizer, max_size), [variable.value for variable in stylizer.variables], folder)


def save_functions(functions: dict[str, Any], variables: list[Any], folder: Path) -> None:
    """Writes functions, and their variables, as a SavedModel's signatures, with the call of the Hub module.

    `serving_default` takes a content and, unless the style is built in, a style.
    """
    module = tf.Module()
    module.weights = variables

    def call(*pictures: Any) -> list[Any]:
        return [functions["serving_default"](*pictures)["stylized_image"]]

    module.__call__ = function_of(call, functions["serving_default"].input_signature)
    with in_one_line("the SavedModel could not be written"):
        concrete = {name: function.get_concrete_function() for name, function in functions.items()}
        tf.saved_model.save(module, str(folder), concrete, SAVE_OPTIONS)


class SavedModelExporter(Exporter):
    """Exports the SavedModel of a predictor and a transformer."""

    format = "saved_model"

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Writes the SavedModel; see `export.exporter.Exporter`."""
        save(self.model, folder, self.options.max_size)

    @staticmethod
    def load(folder: Path) -> Any:
        """Opens the SavedModel, to be called as a stylizer."""
        return SavedModelStylizer(folder)

    @staticmethod
    def signatures(folder: Path) -> dict[str, Any]:
        """Reads the signatures of the SavedModel."""
        return of_saved_model(folder)
