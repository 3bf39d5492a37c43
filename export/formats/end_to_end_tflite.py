"""Exports an end-to-end stylizer as a .tflite file per quantization."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from export.artifact import Artifact, ExportOptions
from export.baked_style import Style
from export.formats.feed_forward_saved_model import function_of
from export.formats.tflite_exporter import CalibrationInputs, Network, NetworkExporter, to_float, to_samples
from export.quantization import rules as policy
from export.quantization.post_training import calibration_pairs
from export.rewrites import mirror_padding
from toolkit.errors import InputError
from toolkit.external.end_to_end import EndToEndStylizer, LoadedStylizer, cut
from toolkit.external.frozen_graph import freeze
from toolkit.imaging import images
from toolkit.interface.sizes import STYLE_SIZE
from toolkit.runtimes.baked import BAKED_FILE, BakedStylizer
from toolkit.runtimes.litert import STYLIZER_FILE, DeviceEndToEndStylizer, network_file

SIGNATURE = "serving_default"


def _check_sizes(end_to_end: LoadedStylizer, artifacts: list[Artifact]) -> None:
    if end_to_end.content_size is None:
        return
    height, width = end_to_end.content_size
    for artifact in artifacts:
        if (artifact.size, artifact.size) != end_to_end.content_size:
            able = f"give --size {height}" if height == width else "give --formats saved_model"
            raise InputError(f"{artifact.path}: the model takes contents of {width}x{height} pixels only; {able}")


class EndToEndTFLiteExporter(NetworkExporter):
    """Exports an end-to-end stylizer as a .tflite file; refuses another size than the model's fixed one."""

    format = "tflite"

    def __init__(self, model: LoadedStylizer, options: ExportOptions) -> None:
        super().__init__(model, options)
        if self.format == "tflite":  # ONNX has the sizes of the model
            _check_sizes(model, self.artifacts)
        self._graph = mirror_padding.sliced(freeze(model))
        network, file = ("stylizer", STYLIZER_FILE) if isinstance(model, EndToEndStylizer) else ("baked", BAKED_FILE)
        self.networks = {network: Network(file, SIGNATURE)}

    def function(self, network: str, size: int | None, integer_io: bool, style: Style | None) -> Any:
        """Builds the network; see `export.formats.tflite_exporter.NetworkExporter`."""
        call, dtype = self.model.of_any_batch(self._graph.call()), tf.uint8 if integer_io else tf.float32

        def stylize(*pictures: Any) -> dict[str, Any]:
            content, *styles = map(to_float, pictures)
            return {"stylized_image": to_samples(cut(call(content, *styles), content), integer_io)}

        sizes = {"content": self.model.content_size or (size, size)}
        if network == "stylizer":
            sizes["style"] = self.model.style_size or ((STYLE_SIZE, STYLE_SIZE) if size else (None, None))
        return function_of(
            stylize, [tf.TensorSpec((self.batch, *sides, 3), dtype, f"{role}_image") for role, sides in sizes.items()]
        )

    def rules(self, model: bytes, network: str, mode: str) -> list[dict[str, Any]]:
        """Derives the rules from the graph; see `export.quantization.rules.rules`."""
        return policy.rules(model, mode, "content_image")

    def calibration_inputs(self, content_size: int, integer_io: bool) -> CalibrationInputs:
        """Prepares real pictures; see `export.formats.tflite_exporter.NetworkExporter`."""
        (network,), found = self.networks, []
        for pair in calibration_pairs():
            pictures = {"content_image": images.center_crop_resize(pair.content, content_size)}
            if network == "stylizer":
                side = self.model.style_size or (STYLE_SIZE, STYLE_SIZE)
                pictures["style_image"] = images.resize(pair.style, *side)
            found.append(
                {
                    name: (images.to_uint8(picture) if integer_io else picture)[None]
                    for name, picture in pictures.items()
                }
            )
        return {network: found}

    @staticmethod
    def load(folder: Path) -> DeviceEndToEndStylizer | BakedStylizer:
        """Opens the network, to be called as a stylizer."""
        return BakedStylizer(folder) if network_file(folder, BAKED_FILE).is_file() else DeviceEndToEndStylizer(folder)
