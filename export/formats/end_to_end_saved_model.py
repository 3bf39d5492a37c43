"""Exports an end-to-end stylizer as a SavedModel with the calling convention of the Hub module."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from export.artifact import Artifact
from export.formats.feed_forward_saved_model import (
    SavedModelExporter,
    bytes_function,
    checked,
    function_of,
    save_functions,
)
from toolkit.external.end_to_end import (
    EndToEndStylizer,
    ExternalSingleStyleStylizer,
    LoadedStylizer,
    cut,
    from_saved_model,
)
from toolkit.external.frozen_graph import freeze
from toolkit.external.source_options import SourceOptions


def serving_functions(end_to_end: LoadedStylizer, max_size: int) -> dict[str, Any]:
    """Builds the functions behind the signatures; `image_bytes` reduces the longer side of pictures to `max_size`.

    They are `serving_default`, and `image_bytes` if the model takes pictures of any size.
    """
    call = end_to_end.of_any_batch(freeze(end_to_end).call())
    specs = [tf.TensorSpec(shape, name=f"{role}_image") for role, shape in end_to_end.shapes.items()]

    def paint(*pictures: Any) -> Any:
        taken = [checked(picture, spec.name) for picture, spec in zip(pictures, specs, strict=True)]
        return cut(call(*taken), pictures[0])

    functions = {"serving_default": function_of(lambda *pictures: {"stylized_image": paint(*pictures)}, specs)}
    if not any(side for _, *sides, _ in end_to_end.shapes.values() for side in sides):
        functions["image_bytes"] = bytes_function(paint, max_size, list(end_to_end.shapes))
    return functions


class EndToEndSavedModelExporter(SavedModelExporter):
    """Exports the SavedModel of an end-to-end stylizer."""

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Writes the SavedModel; see `export.exporter.Exporter`."""
        save_functions(serving_functions(self.model, self.options.max_size), [], folder)

    @staticmethod
    def load(folder: Path) -> EndToEndStylizer | ExternalSingleStyleStylizer:
        """Opens the SavedModel, to be called as a stylizer."""
        return from_saved_model(folder, SourceOptions())
