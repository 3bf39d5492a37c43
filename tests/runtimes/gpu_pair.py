"""A .tflite pair of a fixed size on LiteRT's GPU delegate, the whole graph of both files or nothing."""

import functools
from pathlib import Path

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.hardware_accelerator import HardwareAccelerator

from toolkit.errors import WorkError
from toolkit.runtimes.litert import PREDICTOR_FILE, TRANSFORMER_FILE
from toolkit.runtimes.tflite_file import read_tflite

NAME = "litert-gpu"


class GPUNetwork:
    """A .tflite file on the GPU delegate.

    Args:
        path: the file, which has one signature of fixed sizes.

    Raises:
        WorkError: an operation is left to the CPU.
    """

    def __init__(self, path: Path) -> None:
        self._model = CompiledModel.from_file(str(path), hardware_accel=HardwareAccelerator.GPU)
        if not self._model.is_fully_accelerated():
            raise WorkError(f"{path}: the delegate does not take the whole graph")
        (self._signature,) = read_tflite(path).signatures
        key, create = self._signature.name, self._model
        self._inputs = {end.name: create.create_input_buffer_by_name(key, end.name) for end in self._signature.inputs}
        (self._output,) = self._signature.outputs
        self._result = create.create_output_buffer_by_name(key, self._output.name)

    def __call__(self, **arrays: np.ndarray) -> np.ndarray:
        """Runs the network on float32 inputs by name, and returns its output."""
        for name, array in arrays.items():
            self._inputs[name].write(np.ascontiguousarray(array, np.float32))
        self._model.run_by_name(self._signature.name, self._inputs, {self._output.name: self._result})
        count = int(np.prod([side or 1 for side in self._output.shape]))
        return self._result.read(count, np.float32).reshape([side or 1 for side in self._output.shape])


class GPUPair:
    """Predictor and transformer, called with a content and a style of the files' own sizes."""

    def __init__(self, folder: Path) -> None:
        self._predictor = GPUNetwork(folder / PREDICTOR_FILE)
        self._transformer = GPUNetwork(folder / TRANSFORMER_FILE)
        self._read = functools.lru_cache(self._bottleneck)

    def _bottleneck(self, style: bytes, shape: tuple[int, ...]) -> np.ndarray:
        return self._predictor(style_image=np.frombuffer(style, np.float32).reshape(shape))

    def __call__(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Paints a content in a style."""
        bottleneck = self._read(np.ascontiguousarray(style, np.float32).tobytes(), style.shape)
        return self._transformer(content_image=content, style_bottleneck=bottleneck)
