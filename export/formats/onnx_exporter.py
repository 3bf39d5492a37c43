"""Exports the networks of .tflite artifacts as .onnx files: for pictures of any size, and batches of any length."""

import functools
from pathlib import Path
from typing import Any

from export.artifact import Artifact, ExportOptions
from export.formats.end_to_end_tflite import EndToEndTFLiteExporter
from export.formats.feed_forward_tflite import SplitTFLiteExporter
from export.formats.optimization_tflite import FeaturesExporter
from export.formats.signatures import of_onnx
from export.formats.tflite_exporter import NetworkExporter
from export.formats.tflite_metadata import metadata_of
from toolkit.runtimes.onnx_file import SUFFIX, check_installed


class ONNXExporter(NetworkExporter):
    """Writes .onnx files in place of .tflite files: a class for the left of another exporter of networks.

    Raises:
        InputError: the extra `onnx` is not installed.
    """

    format = "onnx"
    batch: int | None = None

    def __init__(self, model: Any, options: ExportOptions) -> None:
        check_installed("tf2onnx", "onnx", "onnxruntime")
        super().__init__(model, options)
        self._models = functools.lru_cache(maxsize=2)(self._float32)

    def _float32(self, network: str) -> Any:
        from export.formats import onnx_conversion

        return onnx_conversion.convert(self.function(network, None, False, None), self.networks[network].signature)

    def write(self, artifact: Artifact, folder: Path) -> None:
        """Writes the networks of one artifact; see `export.exporter.Exporter`."""
        from export.formats import onnx_conversion

        for name, network in self.networks.items():
            model = self._models(name)
            if artifact.quantization == "float16":
                model = onnx_conversion.with_float16_weights(model)
            content = onnx_conversion.with_metadata(model, metadata_of(name, artifact, self.options))
            (folder / network.file).with_suffix(SUFFIX).write_bytes(content)

    @staticmethod
    def signatures(folder: Path) -> dict[str, Any]:
        """Reads the signatures of the .onnx files."""
        return of_onnx(folder)


class SplitONNXExporter(ONNXExporter, SplitTFLiteExporter):
    """Exports predictor and transformer."""


class EndToEndONNXExporter(ONNXExporter, EndToEndTFLiteExporter):
    """Exports an end-to-end stylizer, or one with a built-in style."""

    def __init__(self, model: Any, options: ExportOptions) -> None:
        super().__init__(model, options)
        # A model of a fixed batch takes one picture at a time, repeated.
        self.batch = 1 if any(model.batches.values()) else None


class FeaturesONNXExporter(ONNXExporter, FeaturesExporter):
    """Exports the features of style transfer by optimization."""
