"""tflite-runtime, LiteRT's predecessor: its last release, in a virtual environment without TensorFlow."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.runtimes.other_python import painting
from tests.runtimes.runtime import PIP_INSTALL, ROOT, MissingRuntimeError, Opened, Runtime, call, keep

# The runtime was compiled for NumPy 1; a process that has loaded TensorFlow cannot load it.
REQUIREMENTS = ("tflite-runtime==2.14.0", "numpy<2", "pillow")
HAS_WHEEL = sys.platform == "linux" and sys.version_info < (3, 12)


class TFLiteRuntime(Runtime):
    """tflite-runtime 2.14 with NumPy 1.

    Args:
        folder: of the virtual environment, which is kept there.
    """

    name = "tflite-runtime"

    def __init__(self, folder: Path = ROOT / "build" / "runtimes" / "tflite-runtime") -> None:
        self._folder = folder

    def ready(self) -> None:
        """Makes the virtual environment where it is not there yet."""
        self.python()

    def python(self) -> Path:
        """Returns the virtual environment's Python, and makes it where it is not there yet."""
        if not HAS_WHEEL:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise MissingRuntimeError(
                f"{REQUIREMENTS[0]} has wheels for Linux and Python up to 3.11 only: this is Python {version}"
            )

        def make(folder: Path) -> None:
            call(sys.executable, "-m", "venv", folder)
            call(folder / "bin" / "python", *PIP_INSTALL, *REQUIREMENTS)

        recipe = "\n".join((sys.version, *REQUIREMENTS))
        return keep(self._folder, recipe, make) / "bin" / "python"

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[Opened]:
        """See `Runtime.open`."""
        with painting([self.python()], folder, self.name) as opened:
            yield opened
