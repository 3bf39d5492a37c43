"""ONNX Runtime in this process."""

import contextlib
import importlib.metadata
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from export.artifact import Artifact
from tests.runtimes.runtime import MissingRuntimeError, Opened, Runtime
from toolkit.errors import MissingExtraError
from toolkit.runtimes.litert import DeviceStylizer
from toolkit.runtimes.onnx_file import check_installed


class ONNXRuntime(Runtime):
    """onnxruntime, as `styleport stylize` uses it."""

    name = "onnxruntime"

    def runs(self, artifact: Artifact) -> bool:
        """Returns whether an artifact is of .onnx files."""
        return artifact.format == "onnx"

    def ready(self) -> None:
        """Looks for the extra."""
        try:
            check_installed("onnxruntime", "onnx")
        except MissingExtraError as error:
            raise MissingRuntimeError(str(error)) from error

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[Opened]:
        """See `Runtime.open`."""
        version = f"onnxruntime {importlib.metadata.version('onnxruntime')}, NumPy {np.__version__}"
        yield Opened(version, platform.machine(), DeviceStylizer(folder))
