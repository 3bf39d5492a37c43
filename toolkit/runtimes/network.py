"""The base class of exported networks: files with one signature, called with float arrays by name."""

import abc
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError
from toolkit.files.names import check_utf8

# If the system refuses to create a thread, XNNPACK waits for it forever.
MAX_THREADS = 1024

# Supported types of inputs and outputs: floats, and integers with a scale.
_DTYPES = ("float32", "uint8", "int8", "int16")


class Network(abc.ABC):
    """A file with one named signature, called with float arrays whatever its own types are.

    Args:
        path: the file.
        threads: CPU threads; all cores by default.

    Attributes:
        signature: the signature's name.
        inputs: `shape_signature` (-1 for variable dimensions), `dtype` and `quantization` (scale and zero point) of
            each input, by name.
        outputs: the same of each output.

    Raises:
        InputError: the number of threads is out of range, or the path is not UTF-8.
    """

    # Lengths of a batch that its inputs may have; pictures are passed one by one.
    batches: tuple[int, ...] = (1,)
    signature: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        if threads is not None and not 1 <= threads <= MAX_THREADS:
            raise InputError(f"threads is {threads}: give at least 1, and at most {MAX_THREADS}")
        self._path, self._lock = Path(path), threading.Lock()
        check_utf8(self._path)

    @abc.abstractmethod
    def invoke(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the network in its own types, those of `inputs` and `outputs`, by name."""

    def check_role(self, role: str, inputs: set[str], output: str) -> None:
        """Refuses a network whose inputs or output do not match its role, or whose `_image` is not a picture."""
        if set(self.inputs) != inputs or set(self.outputs) != {output}:
            raise InputError(
                f"{self._path}: not a {role}: its signature {self.signature!r} takes {_describe(self.inputs)} and "
                f"returns {_describe(self.outputs)}; a {role} takes {', '.join(sorted(inputs))} and returns {output}"
            )
        for name, end in {**self.inputs, **self.outputs}.items():
            kind = np.dtype(end["dtype"]).name
            if kind not in _DTYPES or len(tensor_shape(end)) != 4:
                raise InputError(
                    f"{self._path}: not a {role}: {_describe({name: end})} is {kind}, not a picture or a style"
                )
        for name in inputs:
            shape = self.input_shape(name)
            wanted = (shape[0], *shape[1:3], 3) if name.endswith("_image") else (shape[0], 1, 1, shape[3])
            if shape != wanted or shape[0] not in self.batches:
                raise InputError(f"{self._path}: not a {role}: it takes {_describe({name: self.inputs[name]})}")

    def input_shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of an input of rank four, with -1 for variable dimensions."""
        if name not in self.inputs:
            raise InputError(f"signature {self.signature!r} has no input {name!r}: it has {', '.join(self.inputs)}")
        shape = tensor_shape(self.inputs[name])
        if len(shape) != 4:
            raise InputError(f"input {name!r} of signature {self.signature!r} has shape {shape}, not four dimensions")
        return shape

    def input_size(self, name: str) -> tuple[int, int] | None:
        """Returns the height and width that a picture input takes, or None if it takes any."""
        _, height, width, _ = self.input_shape(name)
        return None if -1 in (height, width) else (height, width)

    def __call__(self, **arrays: np.ndarray) -> np.ndarray:
        """Runs the network on float32 inputs by name, and returns its only output, float32."""
        (result,) = self.run(**arrays).values()
        return result

    def run(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the network on float32 inputs by name, and returns its outputs by name, float32."""
        self._check_arrays(arrays)
        results = self.invoke({name: _quantize(array, self.inputs[name]) for name, array in arrays.items()})
        return {name: _dequantize(array, self.outputs[name]) for name, array in results.items()}

    def _check_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        if set(arrays) != set(self.inputs):
            raise InputError(f"{self._path}: takes {_describe(self.inputs)}, not {', '.join(arrays) or 'nothing'}")
        for name, array in arrays.items():
            shape = tensor_shape(self.inputs[name])
            if len(array.shape) != len(shape) or any(a not in (b, -1) for a, b in zip(shape, array.shape, strict=True)):
                described = _describe({name: self.inputs[name]})
                raise InputError(f"{self._path}: takes {described}, not the shape {list(array.shape)}")


def tensor_shape(details: dict[str, Any]) -> tuple[int, ...]:
    """Returns the shape of a tensor as in its file, with -1 for variable dimensions."""
    return tuple(int(side) for side in details["shape_signature"])


def _describe(tensors: dict[str, Any]) -> str:
    """Names tensors with their shapes."""
    shapes = {
        name: ", ".join("?" if side < 0 else str(side) for side in tensor_shape(tensor))
        for name, tensor in tensors.items()
    }
    return ", ".join(f"{name} [{shape}]" for name, shape in sorted(shapes.items())) or "nothing"


def _scale_and_zero_point(details: dict[str, Any]) -> tuple[float, int]:
    scale, zero_point = details["quantization"]
    # Integers without a scale are 8-bit picture samples.
    return scale or 1 / 255, zero_point


def _quantize(array: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    dtype = np.dtype(details["dtype"])
    if dtype == np.float32:
        return np.ascontiguousarray(array, np.float32)
    scale, zero_point = _scale_and_zero_point(details)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(array / scale) + zero_point, limits.min, limits.max).astype(dtype)


def _dequantize(array: np.ndarray, details: dict[str, Any]) -> np.ndarray:
    if array.dtype == np.float32:
        return array
    scale, zero_point = _scale_and_zero_point(details)
    return (array.astype(np.float32) - zero_point) * np.float32(scale)
