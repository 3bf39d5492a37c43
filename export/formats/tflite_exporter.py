"""The base class of exporters of .tflite files: networks are converted once per size, then quantized."""

import abc
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from export.artifact import DEFAULT_SIZE, Artifact, ExportOptions
from export.baked_style import Style
from export.exporter import Exporter
from export.formats import tflite_conversion, tflite_metadata
from export.formats.signatures import of_tflite
from export.quantization.post_training import apply_rules, named_rules
from toolkit.interface.sizes import STYLE_SIZE

# Default size of files of any size.
DEFAULT_SHAPES = {
    "content_image": (1, DEFAULT_SIZE, DEFAULT_SIZE, 3),
    "style_image": (1, STYLE_SIZE, STYLE_SIZE, 3),
}
# Inputs of each run by name, by network.
CalibrationInputs = Mapping[str, list[dict[str, np.ndarray]]]


@dataclass(frozen=True)
class Network:
    """A .tflite file of an artifact.

    Attributes:
        file: name of the file.
        signature: name of its only signature.
    """

    file: str
    signature: str


class NetworkExporter(Exporter):
    """Exports artifacts that are .tflite files.

    Attributes:
        networks: files of an artifact, by the names in `export.formats.tflite_metadata.DESCRIPTIONS`.
        batch: length of the batches that its files take; None for any.
    """

    batch: int | None = 1
    networks: Mapping[str, Network]

    def __init__(self, model: Any, options: ExportOptions) -> None:
        super().__init__(model, options)
        # Artifacts of the same size and style are adjacent: one cached pair, for pictures of both types.
        self._converted = functools.lru_cache(maxsize=4)(self.convert)
        self._calibrated = functools.cache(self.calibration_inputs)

    @abc.abstractmethod
    def function(self, network: str, size: int | None, integer_io: bool, style: Style | None) -> Any:
        """Builds a network for conversion.

        Args:
            network: one of `networks`.
            size: side of the content picture in pixels; None for any height and width.
            integer_io: pictures are uint8 in [0, 255] instead of float32 in [0, 1].
            style: baked style; None if the style is an input.

        Returns:
            A `tf.function` with an input signature, which returns tensors by name.
        """

    @property
    def variables(self) -> Iterable[Any]:
        """The Keras variables that the functions read: none if they are constants."""
        return ()

    def convert(self, network: str, size: int | None, integer_io: bool = False, style: Style | None = None) -> bytes:
        """Converts one network to a float32 .tflite file of builtin operations; see `function`.

        Raises:
            WorkError: the network has an operation that TFLite does not support.
        """
        function = self.function(network, size, integer_io, style)
        variables = [variable.value for variable in self.variables]
        model = tflite_conversion.convert(function, self.networks[network].signature, variables)
        return model if size else tflite_conversion.with_default_shapes(model, DEFAULT_SHAPES)

    def rules(self, model: bytes, network: str, mode: str) -> list[dict[str, Any]]:
        """Returns the quantization rules of a network; see `export.quantization.post_training.named_rules`."""
        return named_rules(model, network, mode)

    def calibration_inputs(self, content_size: int, integer_io: bool) -> CalibrationInputs:
        """Prepares the calibration inputs of int8 networks; empty without int8 artifacts.

        Args:
            content_size: side of the content pictures in pixels.
            integer_io: the networks take pictures as uint8 instead of float32.

        Returns:
            The inputs of each run by name, by network.
        """
        return {}

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Writes the networks of one artifact; see `export.exporter.Exporter`."""
        is_int8 = artifact.quantization == "int8"
        integer_io = self.options.integer_io and is_int8
        inputs = self._calibrated(artifact.size or DEFAULT_SIZE, integer_io) if is_int8 else {}
        for name, network in self.networks.items():
            model = self._converted(name, artifact.size, integer_io, artifact.style)
            rules = self.rules(model, name, artifact.quantization)
            model = apply_rules(model, rules, network.signature, inputs.get(name, []))
            tflite_metadata.write(folder / network.file, model, name, artifact, self.options)

    @staticmethod
    def signatures(folder: Path) -> dict[str, Any]:
        """Reads the signatures of the .tflite files."""
        return of_tflite(folder)


def to_float(picture: Any) -> Any:
    """Converts a picture input to float32 in [0, 1], exactly for integers."""
    return picture if picture.dtype == tf.float32 else tf.cast(picture, tf.float32) / 255


def to_samples(picture: Any, integer_io: bool) -> Any:
    """Converts a float32 picture to the file's output: unchanged, or 8-bit samples."""
    if not integer_io:
        return picture
    return tf.cast(tf.round(tf.clip_by_value(picture, 0.0, 1.0) * 255), tf.uint8)
