"""Exports the features that style transfer by optimisation compares, as a .tflite file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from export import conversion, tflite_metadata
from export.artifact import Artifact, ExportOptions, Progress
from export.optimisation.functions import Functions
from export.quantization import apply_rules, named_rules
from export.signatures import of_tflite
from toolkit.tflite_network import TFLiteNetwork
from toolkit.transfer import StyleTransfer

FEATURES_FILE = "features.tflite"
SIGNATURE = "features"


def convert(transfer: StyleTransfer, size: int | None) -> bytes:
    """Converts the features to a float32 .tflite file of builtin operations.

    Args:
        transfer: the model.
        size: side of the picture in pixels, at least 32; None for any height and width.

    Returns:
        The .tflite file, of the one signature `features`.

    Raises:
        WorkError: the network has an operation that TFLite lacks.
    """
    picture = tf.TensorSpec((1, size, size, 3), name="image")
    function = tf.function(Functions(transfer).seen, [picture])
    return conversion.convert(function, SIGNATURE, [variable.value for variable in transfer.features.variables])


def export(transfer: StyleTransfer, bundle: Path, options: ExportOptions, progress: Progress) -> Iterator[Artifact]:
    """Exports the features into a bundle: converted once a size, then quantised.

    Args:
        transfer: the model.
        bundle: the bundle's folder.
        options: what to export.
        progress: told what is being made.

    Yields:
        Each artifact, once its file is written.
    """
    converted: dict[int | None, bytes] = {}
    for artifact in options.artifacts("tflite"):
        progress(f"exporting {artifact.path}")
        if artifact.size not in converted:
            converted[artifact.size] = convert(transfer, artifact.size)
        folder = bundle / artifact.path
        folder.mkdir(parents=True)
        model = converted[artifact.size]
        model = apply_rules(model, named_rules(model, SIGNATURE, artifact.quantization), SIGNATURE, ())
        tflite_metadata.write(folder / FEATURES_FILE, model, "features", artifact, options)
        yield artifact


def load(folder: Path) -> Any:
    """Opens an exported network."""
    return TFLiteNetwork(folder / FEATURES_FILE)


signatures = of_tflite
