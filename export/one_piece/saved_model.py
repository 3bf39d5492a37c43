"""Exports a stylizer in one piece as a SavedModel that is called as the Hub module is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from export.artifact import Artifact, ExportOptions, Progress
from export.saved_model import bytes_function, checked, save_functions
from export.signatures import of_saved_model
from toolkit.split import freeze
from toolkit.whole import WholeStylizer, cut, from_saved_model


def serving_functions(whole: WholeStylizer, max_size: int) -> dict[str, Any]:
    """Builds the functions behind the signatures.

    Args:
        whole: the model.
        max_size: `image_bytes` reduces the longer side of each picture to this many pixels.

    Returns:
        `tf.function`s: `serving_default`, and `image_bytes` where the model takes pictures of any size.
    """
    call = whole.of_any_batch(freeze(whole).call())

    def paint(content_image: Any, style_image: Any) -> Any:
        return cut(call(checked(content_image, "content_image"), checked(style_image, "style_image")), content_image)

    def serving_default(content_image: Any, style_image: Any) -> dict[str, Any]:
        return {"stylized_image": paint(content_image, style_image)}

    specs = [
        tf.TensorSpec(whole.content_shape, name="content_image"),
        tf.TensorSpec(whole.style_shape, name="style_image"),
    ]
    functions = {"serving_default": tf.function(serving_default, specs)}
    if whole.content_size is None and whole.style_size is None:
        functions["image_bytes"] = bytes_function(paint, max_size)
    return functions


def export(whole: WholeStylizer, bundle: Path, options: ExportOptions, progress: Progress) -> Iterator[Artifact]:
    """Exports the SavedModel into a bundle.

    Args:
        whole: the model.
        bundle: the bundle's folder.
        options: what to export.
        progress: told what is being made.

    Yields:
        The artifact, once its files are written.
    """
    for artifact in options.artifacts("saved_model"):
        progress(f"exporting {artifact.path}")
        save_functions(serving_functions(whole, options.max_size), [], bundle / artifact.path)
        yield artifact


def load(folder: Path) -> WholeStylizer:
    """Opens the SavedModel from its files."""
    return from_saved_model(folder, {})


signatures = of_saved_model
