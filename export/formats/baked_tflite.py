"""Exports single-style .tflite files: the style's bottleneck is a constant of the transformer, not an input."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from export.artifact import Artifact, ExportOptions
from export.baked_style import Style
from export.exportable import SplitModel
from export.formats.feed_forward_tflite import SplitTFLiteExporter
from export.formats.tflite_exporter import CalibrationInputs, Network, to_float, to_samples
from export.quantization.post_training import calibration_pairs
from toolkit.errors import InputError, as_input_error
from toolkit.files import strict_json
from toolkit.files.opening import read_bounded
from toolkit.imaging import images
from toolkit.interface.bottleneck import interpolate
from toolkit.runtimes.baked import BAKED_FILE, BakedStylizer

SIGNATURE = "stylize"
# For apps that list styles, and for `verify`, which paints with the float32 model.
STYLE_FILE = "style.json"
THUMBNAIL_FILE = "style.webp"
MAX_STYLE_BYTES = 1 << 20


@dataclass(frozen=True)
class BakedStyle:
    """A baked style in a bundle, which has its bottleneck, [1, 1, 1, D] float32, but not its pictures."""

    style: Style
    bottleneck: np.ndarray

    @classmethod
    def of(cls, style: Style, stylizer: Any) -> "BakedStyle":
        """Computes the bottleneck of a style with the target model."""
        return cls(style, style.bottleneck(stylizer))

    @classmethod
    def from_file(cls, path: Path, length: int) -> "BakedStyle":
        """Reads a style from its `style.json`, given the length of its bottleneck; refuses a damaged file."""
        try:
            content = read_bounded(path, MAX_STYLE_BYTES, "a style")
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        with as_input_error(f"{path}: not a style"):
            record = strict_json.parse(content)
            bottleneck = np.array(record["bottleneck"], np.float32)
            style = Style.from_json(record)
        if bottleneck.shape != (length,) or not np.isfinite(bottleneck).all():
            raise InputError(f"{path}: its bottleneck is not {length} finite numbers")
        return cls(style, bottleneck.reshape(1, 1, 1, length))

    def write(self, folder: Path) -> None:
        """Writes the style and its thumbnail beside its network."""
        record = {**self.style.to_json(), "bottleneck": self.bottleneck.ravel().tolist()}
        (folder / STYLE_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        images.save_image(self.style.thumbnail(), folder / THUMBNAIL_FILE, quality=90)

    def mixed(self, content: Any, predictor: Callable[[Any], Any]) -> Any:
        """Returns the bottleneck for painting a content.

        Args:
            content: [B, H, W, 3] float32 in [0, 1].
            predictor: called with the content at its own size if the strength is below 1, as in the SavedModel's
                signature `strength`.

        Returns:
            [B or 1, 1, 1, D] float32.
        """
        if self.style.strength == 1:
            return self.bottleneck
        return interpolate(predictor(content), self.bottleneck, self.style.strength)


class BakedExporter(SplitTFLiteExporter):
    """Exports each style as a .tflite file: a transformer with a built-in style."""

    format = "baked"
    networks: Mapping[str, Network] = {"baked": Network(BAKED_FILE, SIGNATURE)}

    def __init__(self, model: SplitModel, options: ExportOptions) -> None:
        super().__init__(model, options)
        self._read = functools.lru_cache(maxsize=1)(functools.partial(BakedStyle.of, stylizer=model))

    def function(self, network: str, size: int | None, integer_io: bool, style: Style | None) -> Any:
        """Builds the transformer with the built-in style.

        The converter folds constants, so the file does not contain the projections of the bottleneck to scales and
        shifts. With a strength below 1, it contains them, and the predictor for the content.
        """
        deployed, baked = self.form(), self._read(style)

        def stylize(content_image: Any) -> dict[str, Any]:
            content = to_float(content_image)
            stylized = deployed(content, tf.convert_to_tensor(baked.mixed(content, self.model.predictor)))
            return {"stylized_image": to_samples(stylized, integer_io)}

        dtype = tf.uint8 if integer_io else tf.float32
        return tf.function(stylize, [tf.TensorSpec((1, size, size, 3), dtype, "content_image")])

    def calibration_inputs(self, content_size: int, integer_io: bool) -> CalibrationInputs:
        """Prepares real pictures; see `export.formats.tflite_exporter.NetworkExporter`."""
        contents = [images.center_crop_resize(pair.content, content_size)[None] for pair in calibration_pairs()]
        return {
            "baked": [{"content_image": images.to_uint8(content) if integer_io else content} for content in contents]
        }

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Writes the network, and the style beside it; see `export.exporter.Exporter`."""
        super().write(artifact, folder)
        self._read(artifact.style).write(folder)

    @staticmethod
    def load(folder: Path) -> BakedStylizer:
        """Opens the network, to be called with a content."""
        return BakedStylizer(folder)
