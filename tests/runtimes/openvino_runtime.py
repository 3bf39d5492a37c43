"""OpenVINO in this process: a second reader of SavedModels, .tflite and .onnx files, which it takes as they are."""

import contextlib
import importlib.util
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact import Artifact
from tests.runtimes.runtime import MissingRuntimeError, Opened, Runtime
from toolkit.runtimes.litert import PREDICTOR_FILE, TRANSFORMER_FILE, network_file

# What OpenVINO 2026.4 says of the transformer of a quantized .tflite pair, which it refuses, by the quantization.
REFUSED = {
    "float16": "This tensor should be either input, constant or should be already produced by previous operators",
    "dynamic": "Chosen Builtin Option is not accessible for this node",
    "int8": "Chosen Builtin Option is not accessible for this node",
}


class OpenVINO(Runtime):
    """OpenVINO on the CPU, in float32 as the gates have it."""

    name = "openvino"

    def runs(self, artifact: Artifact) -> bool:
        """Returns whether OpenVINO reads an artifact: the SavedModel, .onnx files, and float32 .tflite files."""
        is_readable = super().runs(artifact) and artifact.quantization not in REFUSED
        return artifact.format in ("saved_model", "onnx") or is_readable

    def ready(self) -> None:
        """Looks for the package."""
        if importlib.util.find_spec("openvino") is None:
            raise MissingRuntimeError("OpenVINO is not installed: pip install '.[dev]'")

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[Opened]:
        """See `Runtime.open`."""
        import openvino

        if (folder / "saved_model.pb").is_file():
            paint = OpenVINONetwork(folder)
        else:
            predictor = OpenVINONetwork(network_file(folder, PREDICTOR_FILE))
            transformer = OpenVINONetwork(network_file(folder, TRANSFORMER_FILE))

            def paint(content: np.ndarray, style: np.ndarray) -> np.ndarray:
                return transformer(content, predictor(style))

        version = openvino.get_version().partition("-")[0]
        yield Opened(f"openvino {version}, NumPy {np.__version__}", platform.machine(), paint)


class OpenVINONetwork:
    """A model in OpenVINO, called with its inputs in the order of their names; it has one output.

    Args:
        path: a .tflite or .onnx file, or the folder of a SavedModel.
    """

    def __init__(self, path: Path) -> None:
        import openvino

        core = openvino.Core()
        self._compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        self._inputs: list[Any] = sorted(self._compiled.inputs, key=lambda port: port.get_any_name())

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        """Runs the model, and returns its output."""
        given = dict(zip(self._inputs, map(np.ascontiguousarray, arrays), strict=True))
        return np.array(self._compiled(given)[0])
