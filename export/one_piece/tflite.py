"""Exports a stylizer in one piece as one .tflite file a quantisation, with the pictures it takes as inputs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from export import conversion, mirrors, policy, tflite_metadata
from export.artifact import DEFAULT_SIZE, Artifact, ExportOptions, Progress
from export.quantization import STYLE_SIZE, apply_rules, calibration_pairs
from export.saved_model import function_of
from export.signatures import of_tflite
from export.tflite import DEFAULT_SHAPES, to_float, to_samples
from toolkit import images
from toolkit.baked import BAKED_FILE, BakedStylizer
from toolkit.device import STYLIZER_FILE, DeviceWholeStylizer
from toolkit.errors import InputError
from toolkit.frozen_graph import FrozenGraph, freeze
from toolkit.whole import LoadedStylizer, WholeStylizer, cut

SIGNATURE = "serving_default"


def _check_sizes(whole: LoadedStylizer, artifacts: list[Artifact]) -> None:
    if whole.content_size is None:
        return
    height, width = whole.content_size
    for artifact in artifacts:
        if (artifact.size, artifact.size) != whole.content_size:
            able = f"give --size {height}" if height == width else "give --formats saved_model"
            raise InputError(f"{artifact.path}: the model takes contents of {width}x{height} pixels only; {able}")


def convert(whole: LoadedStylizer, graph: FrozenGraph, size: int | None, integer_io: bool = False) -> bytes:
    """Converts the model to a float32 .tflite file of builtin operations.

    Args:
        whole: the model.
        graph: its graph.
        size: side of the content picture in pixels, at least 16; None for any height and width.
        integer_io: pictures are uint8 in [0, 255] instead of float32 in [0, 1].

    Returns:
        The .tflite file.

    Raises:
        WorkError: the model has an operation that TFLite lacks.
    """
    call, dtype = whole.of_any_batch(graph.call()), tf.uint8 if integer_io else tf.float32

    def stylize(*pictures: Any) -> dict[str, Any]:
        content, *styles = map(to_float, pictures)
        return {"stylized_image": to_samples(cut(call(content, *styles), content), integer_io)}

    sizes = {"content": (size, size)}
    if isinstance(whole, WholeStylizer):
        sizes["style"] = whole.style_size or ((STYLE_SIZE, STYLE_SIZE) if size else (None, None))
    specs = [tf.TensorSpec((1, *sides, 3), dtype, f"{role}_image") for role, sides in sizes.items()]
    model = conversion.convert(function_of(stylize, specs), SIGNATURE, [])
    return model if size else conversion.with_default_shapes(model, DEFAULT_SHAPES)


def calibration_inputs(
    whole: LoadedStylizer, content_size: int, integer_io: bool = False
) -> list[dict[str, np.ndarray]]:
    """Prepares the real pairs that activations are calibrated on.

    Args:
        whole: the model.
        content_size: side of the content pictures in pixels.
        integer_io: the file takes pictures as uint8 instead of float32.

    Returns:
        The inputs of each run by name.
    """
    found = []
    for pair in calibration_pairs():
        pictures = {"content_image": images.square(pair.content, content_size)}
        if isinstance(whole, WholeStylizer):
            pictures["style_image"] = images.resize(pair.style, *(whole.style_size or (STYLE_SIZE, STYLE_SIZE)))
        found.append({name: (images.to_uint8(one) if integer_io else one)[None] for name, one in pictures.items()})
    return found


def export(whole: LoadedStylizer, bundle: Path, options: ExportOptions, progress: Progress) -> Iterator[Artifact]:
    """Exports the .tflite files into a bundle: the model converted once a size, then quantised.

    Args:
        whole: the model.
        bundle: the bundle's folder.
        options: what to export.
        progress: told what is being made.

    Yields:
        Each artifact, once its file is written.

    Raises:
        InputError: the model takes contents of one size only, and another one is asked for.
        WorkError: the model has an operation that TFLite lacks.
    """
    artifacts = options.artifacts("tflite")
    _check_sizes(whole, artifacts)
    graph = mirrors.sliced(freeze(whole))
    file, network = (STYLIZER_FILE, "stylizer") if isinstance(whole, WholeStylizer) else (BAKED_FILE, "baked")
    converted: dict[tuple[int | None, bool], bytes] = {}
    for artifact in artifacts:
        progress(f"exporting {artifact.path}")
        is_int8 = artifact.quantization == "int8"
        key = (artifact.size, options.integer_io and is_int8)
        if key not in converted:
            converted[key] = convert(whole, graph, *key)
        model = converted[key]
        rules = policy.rules(model, artifact.quantization, "content_image")
        inputs = calibration_inputs(whole, artifact.size or DEFAULT_SIZE, key[1]) if is_int8 else []
        folder = bundle / artifact.path
        folder.mkdir(parents=True)
        model = apply_rules(model, rules, SIGNATURE, inputs)
        tflite_metadata.write(folder / file, model, network, artifact, options)
        yield artifact


def load(folder: Path) -> DeviceWholeStylizer | BakedStylizer:
    """Opens an artifact from its files."""
    return BakedStylizer(folder) if (folder / BAKED_FILE).is_file() else DeviceWholeStylizer(folder)


signatures = of_tflite
