"""Runs a .onnx file on ONNX Runtime, without TensorFlow."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError, WorkError, reason
from toolkit.runtimes.network import Network
from toolkit.runtimes.onnx_file import ONNXFile, check_installed, read_onnx

# Fatal errors only: what else it has to say comes as an exception.
_FATAL = 4


def check(path: Path) -> ONNXFile:
    """Reads a .onnx file that ONNX Runtime is to run; refuses one that it cannot run."""
    check_installed("onnxruntime", "onnx")
    return read_onnx(path)


class ONNXNetwork(Network):
    """A .onnx file, called with float arrays by name.

    Threads may share a network; their calls run concurrently.

    Args:
        path: the file.
        threads: CPU threads; all cores by default.

    Raises:
        InputError: the file is not a valid ONNX model in one piece, or the extra `onnx` is not installed.
    """

    batches: tuple[int, ...] = (1, -1)

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        super().__init__(path, threads)
        file = check(self._path)
        self.signature = file.name
        self.inputs, self.outputs = (
            {name: _details(*end) for name, end in ends.items()} for ends in (file.inputs, file.outputs)
        )
        try:
            self._session = _session(file.content, threads or os.cpu_count())
        except Exception as error:  # a runtime may raise anything on a damaged file
            raise InputError(f"{self._path}: not an ONNX model that can be run ({reason(error)})") from error

    def invoke(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the network in its own types, those of `inputs` and `outputs`, by name."""
        try:
            return dict(zip(self.outputs, self._session.run(list(self.outputs), dict(arrays)), strict=True))
        except Exception as error:  # a runtime may raise anything
            sizes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
            raise WorkError(f"{self._path}: could not be run on {sizes} ({reason(error)})") from error


def _session(content: bytes, threads: int | None) -> Any:
    import onnxruntime

    onnxruntime.set_default_logger_severity(_FATAL)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.intra_op_num_threads = threads or 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _details(shape: tuple[int | None, ...], dtype: str) -> dict[str, Any]:
    sides = [-1 if side is None else side for side in shape]
    return {"shape_signature": sides, "dtype": np.dtype(dtype).type, "quantization": (0.0, 0)}
