"""Exports a stylizer in one piece as a SavedModel that is called as the Hub module is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from export.artifact import Artifact, ExportOptions, Progress
from export.saved_model import bytes_function, checked, function_of, save_functions
from export.signatures import of_saved_model
from toolkit.frozen_graph import freeze
from toolkit.source_options import SourceOptions
from toolkit.whole import LoadedStylizer, SingleStyleStylizer, WholeStylizer, cut, from_saved_model


def serving_functions(whole: LoadedStylizer, max_size: int) -> dict[str, Any]:
    """Builds the functions behind the signatures.

    Args:
        whole: the model.
        max_size: `image_bytes` reduces the longer side of each picture to this many pixels.

    Returns:
        `tf.function`s: `serving_default`, and `image_bytes` where the model takes pictures of any size.
    """
    call = whole.of_any_batch(freeze(whole).call())
    specs = [tf.TensorSpec(shape, name=f"{role}_image") for role, shape in whole.shapes.items()]

    def paint(*pictures: Any) -> Any:
        taken = [checked(picture, spec.name) for picture, spec in zip(pictures, specs, strict=True)]
        return cut(call(*taken), pictures[0])

    functions = {"serving_default": function_of(lambda *pictures: {"stylized_image": paint(*pictures)}, specs)}
    if not any(side for _, *sides, _ in whole.shapes.values() for side in sides):
        functions["image_bytes"] = bytes_function(paint, max_size, list(whole.shapes))
    return functions


def export(whole: LoadedStylizer, bundle: Path, options: ExportOptions, progress: Progress) -> Iterator[Artifact]:
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


def load(folder: Path) -> WholeStylizer | SingleStyleStylizer:
    """Opens the SavedModel from its files."""
    return from_saved_model(folder, SourceOptions())


signatures = of_saved_model
