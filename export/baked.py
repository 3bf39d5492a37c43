"""Exports single-style .tflite files: the style's bottleneck is a constant of the transformer, and no input."""

import functools
import json
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
from export.quantization import apply_rules, calibration_pairs
from export.signatures import of_tflite
from export.style import Style
from export.tflite import DEFAULT_SHAPES, NATIVE, Form, Treatment, to_float, to_samples
from toolkit import images, strict_json
from toolkit.baked import BAKED_FILE, BakedStylizer
from toolkit.bottleneck import interpolate
from toolkit.errors import InputError, told_as_input
from toolkit.opening import read_bounded

SIGNATURE = "stylize"
# What an app needs to list the style, and `verify` to paint its pictures with the float32 model.
STYLE_FILE = "style.json"
THUMBNAIL_FILE = "style.webp"
MAX_STYLE_BYTES = 1 << 20


@dataclass(frozen=True)
class BakedStyle:
    """A style as a bundle keeps it: by its bottleneck, not by its pictures.

    Attributes:
        style: what it was made of.
        bottleneck: [1, 1, 1, D] float32.
    """

    style: Style
    bottleneck: np.ndarray

    @classmethod
    def of(cls, style: Style, stylizer: Any) -> "BakedStyle":
        """Reads a style with the model that it is baked into."""
        return cls(style, style.bottleneck(stylizer))

    @classmethod
    def from_file(cls, path: Path, length: int) -> "BakedStyle":
        """Reads a style of a bundle.

        Args:
            path: its `style.json`.
            length: of a bottleneck.

        Returns:
            The style.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            content = read_bounded(path, MAX_STYLE_BYTES, "a style")
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        with told_as_input(f"{path}: not a style"):
            record = strict_json.parse(content)
            bottleneck = np.array(record["bottleneck"], np.float32)
            style = Style.from_json(record)
        if bottleneck.shape != (length,) or not np.isfinite(bottleneck).all():
            raise InputError(f"{path}: its bottleneck is not {length} finite numbers")
        return cls(style, bottleneck.reshape(1, 1, 1, length))

    def write(self, folder: Path) -> None:
        """Writes the style and its thumbnail beside the network that has it inside."""
        record = {**self.style.to_json(), "bottleneck": self.bottleneck.ravel().tolist()}
        (folder / STYLE_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        images.save_image(self.style.thumbnail(), folder / THUMBNAIL_FILE, quality=90)

    def mixed(self, content: Any, predictor: Callable[[Any], Any]) -> Any:
        """Gives the bottleneck that a content is painted with.

        Args:
            content: [B, H, W, 3] float32 in [0, 1].
            predictor: called where the strength is under 1, with the content at its own size, as the SavedModel's
                signature `strength` does it.

        Returns:
            [B or 1, 1, 1, D] float32.
        """
        if self.style.strength == 1:
            return self.bottleneck
        return interpolate(predictor(content), self.bottleneck, self.style.strength)


def convert(
    stylizer: Pair, baked: BakedStyle, size: int | None, integer_io: bool = False, form: Form = DeploymentForm
) -> bytes:
    """Converts the transformer with a style inside to a float32 .tflite file of builtin operations.

    The converter computes what depends on constants alone, so that the projections of the bottleneck to scales and
    shifts are not in the file. With a strength under 1 they are, and the predictor with them, which reads the content.

    Args:
        stylizer: the model.
        baked: the style.
        size: side of the content picture in pixels, at least 16; None for any height and width.
        integer_io: pictures are uint8 in [0, 255] instead of float32 in [0, 1].
        form: in which the transformer is deployed.

    Returns:
        The .tflite file.

    Raises:
        WorkError: the network has an operation that TFLite lacks.
    """
    deployed = form(stylizer.transformer)

    def stylize(content_image: Any) -> dict[str, Any]:
        content = to_float(content_image)
        stylized = deployed(content, tf.convert_to_tensor(baked.mixed(content, stylizer.predictor)))
        return {"stylized_image": to_samples(stylized, integer_io)}

    dtype = tf.uint8 if integer_io else tf.float32
    function = tf.function(stylize, [tf.TensorSpec((1, size, size, 3), dtype, "content_image")])
    model = conversion.convert(function, SIGNATURE, [variable.value for variable in stylizer.variables])
    return model if size else conversion.with_default_shapes(model, DEFAULT_SHAPES)


def calibration_inputs(content_size: int, integer_io: bool) -> list[dict[str, np.ndarray]]:
    """Prepares the real pictures that activations are calibrated on; the style is the network's own.

    Args:
        content_size: side of the content pictures in pixels.
        integer_io: the file takes pictures as uint8 instead of float32.

    Returns:
        The inputs of each run by name.
    """
    contents = [images.square(pair.content, content_size)[None] for pair in calibration_pairs()]
    return [{"content_image": images.to_uint8(content) if integer_io else content} for content in contents]


def export(
    stylizer: Pair, bundle: Path, options: ExportOptions, progress: Progress, treatment: Treatment = NATIVE
) -> Iterator[Artifact]:
    """Exports each style into a bundle: the transformer converted once a style and size, then quantised.

    Args:
        stylizer: the model.
        bundle: the bundle's folder.
        options: what to export.
        progress: told what is being made.
        treatment: what is known of the networks.

    Yields:
        Each artifact, once its files are written.
    """
    # All styles are calibrated on the same contents.
    calibrated = functools.cache(calibration_inputs)
    for style in options.bakes:
        baked = BakedStyle.of(style, stylizer)
        converted = functools.cache(functools.partial(convert, stylizer, baked, form=treatment.form))
        for artifact in options.artifacts("baked"):
            if artifact.style != style:
                continue
            progress(f"exporting {artifact.path}")
            is_int8 = artifact.quantization == "int8"
            integer_io = options.integer_io and is_int8
            model = converted(artifact.size, integer_io)
            rules = treatment.rules(model, "baked", artifact.quantization)
            inputs = calibrated(artifact.size or DEFAULT_SIZE, integer_io) if is_int8 else []
            folder = bundle / artifact.path
            folder.mkdir(parents=True)
            model = apply_rules(model, rules, SIGNATURE, inputs)
            tflite_metadata.write(folder / BAKED_FILE, model, "baked", artifact, options, str(style))
            baked.write(folder)
            yield artifact


load = BakedStylizer
signatures = of_tflite
