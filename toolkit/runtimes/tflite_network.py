"""Runs a .tflite file on LiteRT or tflite-runtime, without TensorFlow."""

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError, MissingExtraError, WorkError, reason
from toolkit.runtimes.network import Network
from toolkit.runtimes.tflite_file import TFLiteFile, read_tflite

# In order of preference: LiteRT is the maintained successor of tflite-runtime.
RUNTIMES = {"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}
_MISSING = {
    "litert": "running .tflite files needs LiteRT: pip install ai-edge-litert",
    "tflite-runtime": "tflite-runtime is not installed: pip install tflite-runtime 'numpy<2', on Python 3.11 at most",
}


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


def check(path: Path, runtime: str) -> Any:
    """Returns a runtime's class of interpreters; refuses a file that it cannot run."""
    interpreter_class = _interpreter_class(runtime)
    _check_runnable(path, read_tflite(path))
    return interpreter_class


def _check_runnable(path: Path, file: TFLiteFile) -> None:
    if file.custom_operations:
        named = ", ".join(file.custom_operations)
        raise InputError(f"{path}: needs custom operations: {named}; export it with builtin operations only")
    if len(file.signatures) != 1:
        named = ", ".join(signature.name for signature in file.signatures) or "none"
        raise InputError(f"{path}: not a stylizer's network, which has one signature; its signatures: {named}")


class TFLiteNetwork(Network):
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
        super().__init__(path, threads)
        interpreter_class = check(self._path, runtime)
        try:
            self._interpreter = interpreter_class(str(self._path), num_threads=threads or os.cpu_count())
            (self.signature,) = self._interpreter.get_signature_list()
            self._runner = self._interpreter.get_signature_runner(self.signature)
            self.inputs = self._runner.get_input_details()
            self.outputs = self._runner.get_output_details()
        except Exception as error:  # a runtime may raise anything on a damaged file
            raise InputError(f"{self._path}: not a TFLite model that can be run ({reason(error)})") from error

    def invoke(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the network in its own types, those of `inputs` and `outputs`, by name."""
        try:
            with self._lock:
                return dict(self._runner(**arrays))
        except Exception as error:  # a runtime may raise anything
            sizes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
            raise WorkError(f"{self._path}: could not be run on {sizes} ({reason(error)})") from error
