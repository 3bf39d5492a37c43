"""Runs a .tflite file on LiteRT or tflite-runtime, without TensorFlow."""

import importlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError, MissingExtraError, WorkError, reason
from toolkit.files.names import check_utf8
from toolkit.runtimes.tflite_file import TFLiteFile, read_tflite

# If the system refuses to create a thread, XNNPACK waits for it forever.
MAX_THREADS = 1024

# In order of preference: LiteRT is the maintained successor of tflite-runtime.
RUNTIMES = {"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
_MISSING = {
    "litert": "running .tflite files needs LiteRT: pip install ai-edge-litert",
    "tflite-runtime": "tflite-runtime is not installed: pip install tflite-runtime 'numpy<2', on Python 3.11 at most",
}


# Supported types of inputs and outputs: floats, and integers with a scale.
_DTYPES = ("float32", "uint8", "int8", "int16")


def _interpreter_class(runtime: str) -> Any:
    if runtime not in ("auto", *RUNTIMES):
        raise InputError(f"unknown runtime {runtime!r}: choose from auto, {', '.join(RUNTIMES)}")
    for name in RUNTIMES if runtime == "auto" else (runtime,):
        try:
            module = importlib.import_module(RUNTIMES[name])
        except ModuleNotFoundError:
            continue
        except ImportError as error:
            raise InputError(f"{name} is installed but cannot be loaded ({error}): reinstall it") from error
        if name == "tflite-runtime" and int(np.__version__.split(".")[0]) > 1:
            raise InputError(f"tflite-runtime does not work with NumPy {np.__version__}: pip install 'numpy<2'")
        return module.Interpreter
    raise MissingExtraError(_MISSING["litert" if runtime == "auto" else runtime])


def has_runtime() -> bool:
    """Returns whether a runtime for .tflite files is installed; raises an InputError if it is broken."""
    try:
        _interpreter_class("auto")
    except MissingExtraError:
        return False
    return True


def _check_runnable(path: Path, file: TFLiteFile) -> None:
    if file.custom_operations:
        named = ", ".join(file.custom_operations)
        raise InputError(f"{path}: needs custom operations: {named}; export it with builtin operations only")
    if len(file.signatures) != 1:
        named = ", ".join(signature.name for signature in file.signatures) or "none"
        raise InputError(f"{path}: not a stylizer's network, which has one signature; its signatures: {named}")


class TFLiteNetwork:
    """A .tflite file with one named signature, called with float arrays whatever its own types are.

    Threads may share a network: its interpreter has one set of tensors, so their calls run in turn.

    Args:
        path: the file.
        runtime: `auto`, `litert` or `tflite-runtime`.
        threads: CPU threads; all cores by default.

    Raises:
        InputError: the file is not a valid TFLite model with one signature and builtin operations, or the runtime is
            not installed.
    """

    def __init__(self, path: str | Path, runtime: str = "auto", threads: int | None = None) -> None:
        interpreter_class = _interpreter_class(runtime)
        if threads is not None and not 1 <= threads <= MAX_THREADS:
            raise InputError(f"threads is {threads}: give at least 1, and at most {MAX_THREADS}")
        self._path, self._lock = Path(path), threading.Lock()
        check_utf8(self._path)
        _check_runnable(self._path, read_tflite(self._path))
        self._open(interpreter_class, runtime, threads)

    def _open(self, interpreter_class: Any, runtime: str, threads: int | None) -> None:
        try:
            self._interpreter = interpreter_class(str(self._path), num_threads=threads or os.cpu_count())
            (self.signature,) = self._interpreter.get_signature_list()
            self._runner = self._interpreter.get_signature_runner(self.signature)
            self.inputs: dict[str, Any] = self._runner.get_input_details()
            self.outputs: dict[str, Any] = self._runner.get_output_details()
        except Exception as error:  # a runtime may raise anything on a damaged file
            raise InputError(f"{self._path}: not a TFLite model that can be run ({reason(error)})") from error

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
            wanted = (1, *shape[1:3], 3) if name.endswith("_image") else (1, 1, 1, shape[3])
            if shape != wanted:
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

    def invoke(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the network in its own types, those of `inputs` and `outputs`, by name."""
        try:
            with self._lock:
                return dict(self._runner(**arrays))
        except Exception as error:  # a runtime may raise anything
            sizes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
            raise WorkError(f"{self._path}: could not be run on {sizes} ({reason(error)})") from error

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
