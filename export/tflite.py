"""Exports a stylizer as a pair of .tflite files, predictor and transformer, in four quantisations."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from export import conversion, tflite_metadata
from export.artifact import DEFAULT_SIZE, Artifact, ExportOptions, Progress
from export.deployment import DeploymentForm
from export.exportable import Pair
from export.quantization import (
    SIGNATURE_NAMES,
    STYLE_SIZE,
    apply_rules,
    calibration_pairs,
    named_rules,
    network_inputs,
)
from export.signatures import of_tflite
from toolkit.device import PREDICTOR_FILE, TRANSFORMER_FILE, DeviceStylizer

# Until a file of any size is told another one.
DEFAULT_SHAPES = {
    "content_image": (1, DEFAULT_SIZE, DEFAULT_SIZE, 3),
    "style_image": (1, STYLE_SIZE, STYLE_SIZE, 3),
}
FILES = {"predictor": PREDICTOR_FILE, "transformer": TRANSFORMER_FILE}


# From a transformer to the function of a content and a bottleneck that is converted.
Form = Callable[[Any], Callable[[Any, Any], Any]]
# The quantisation rules of a float32 .tflite file, by its network's name and the mode.
Rules = Callable[[bytes, str, str], list[dict[str, Any]]]


@dataclass(frozen=True)
class Treatment:
    """What is known of a pair's networks, beyond how they are called.

    Attributes:
        form: in which the transformer is deployed.
        rules: after which the networks are quantised.
    """

    form: Form = DeploymentForm
    rules: Rules = named_rules


NATIVE = Treatment()


def to_float(picture: Any) -> Any:
    """Brings a picture input to float32 in [0, 1]; integers are converted exactly."""
    return picture if picture.dtype == tf.float32 else tf.cast(picture, tf.float32) / 255


def to_samples(picture: Any, integer_io: bool) -> Any:
    """Brings a float32 picture to what the file gives: itself, or 8-bit samples."""
    if not integer_io:
        return picture
    return tf.cast(tf.round(tf.clip_by_value(picture, 0.0, 1.0) * 255), tf.uint8)


def _network_function(stylizer: Pair, network: str, size: int | None, integer_io: bool, form: Form) -> Any:
    """A network of one signature, its tensors named as in the SavedModel's signature of that name."""
    # Integer pictures are converted inside, exactly; the bottleneck is no picture and stays float.
    dtype = tf.uint8 if integer_io else tf.float32

    def bottleneck(style_image: Any) -> dict[str, Any]:
        return {"style_bottleneck": stylizer.predictor(to_float(style_image))}

    deployed = form(stylizer.transformer)

    def transform(content_image: Any, style_bottleneck: Any) -> dict[str, Any]:
        stylized = deployed(to_float(content_image), style_bottleneck)
        return {"stylized_image": to_samples(stylized, integer_io)}

    if network == "predictor":
        side = STYLE_SIZE if size else None
        return tf.function(bottleneck, [tf.TensorSpec((1, side, side, 3), dtype, "style_image")])
    picture = tf.TensorSpec((1, size, size, 3), dtype, "content_image")
    code = tf.TensorSpec((1, 1, 1, stylizer.bottleneck_dim), name="style_bottleneck")
    return tf.function(transform, [picture, code])


def convert(
    stylizer: Pair, network: str, size: int | None, integer_io: bool = False, form: Form = DeploymentForm
) -> bytes:
    """Converts one network to a float32 .tflite file of builtin operations.

    Args:
        stylizer: the model.
        network: `predictor` or `transformer`.
        size: side of the content picture in pixels, at least 16; None for any height and width.
        integer_io: pictures are uint8 in [0, 255] instead of float32 in [0, 1].
        form: in which the transformer is deployed.

    Returns:
        The .tflite file.

    Raises:
        WorkError: the network has an operation that TFLite lacks.
    """
    function = _network_function(stylizer, network, size, integer_io, form)
    model = conversion.convert(function, SIGNATURE_NAMES[network], [variable.value for variable in stylizer.variables])
    return model if size else conversion.with_default_shapes(model, DEFAULT_SHAPES)


def export(
    stylizer: Pair, bundle: Path, options: ExportOptions, progress: Progress, treatment: Treatment = NATIVE
) -> Iterator[Artifact]:
    """Exports the .tflite pairs into a bundle: each network converted once a size, then quantised.

    Args:
        stylizer: the model.
        bundle: the bundle's folder.
        options: what to export.
        progress: told what is being made.
        treatment: what is known of the networks.

    Yields:
        Each artifact, once its files are written.
    """
    # What several artifacts share is made once: the slow conversion, and real bottlenecks to calibrate on.
    converted = functools.cache(functools.partial(convert, stylizer, form=treatment.form))

    @functools.cache
    def calibrated(content_size: int, integer_io: bool) -> dict[str, list[dict[str, np.ndarray]]]:
        return network_inputs(stylizer, calibration_pairs(), content_size, integer_io)

    for artifact in options.artifacts("tflite"):
        progress(f"exporting {artifact.path}")
        folder = bundle / artifact.path
        folder.mkdir(parents=True)
        is_int8 = artifact.quantization == "int8"
        integer_io = options.integer_io and is_int8
        inputs = calibrated(artifact.size or DEFAULT_SIZE, integer_io) if is_int8 else {}
        for network, file in FILES.items():
            model = converted(network, artifact.size, integer_io)
            rules = treatment.rules(model, network, artifact.quantization)
            model = apply_rules(model, rules, SIGNATURE_NAMES[network], inputs.get(network, []))
            tflite_metadata.write(folder / file, model, network, artifact, options)
        yield artifact


load = DeviceStylizer
signatures = of_tflite
