"""LiteRT in this process."""

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from tests.runtimes.painter import version_of
from tests.runtimes.runtime import Opened, Runtime
from toolkit.runtimes.litert import DeviceStylizer


class LiteRT(Runtime):
    """ai-edge-litert, as the exporter itself uses it."""

    name = "litert"

    def ready(self) -> None:
        """Takes nothing that the exporter does not take."""

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[Opened]:
        """See `Runtime.open`."""
        stylizer = DeviceStylizer(folder, self.name, os.cpu_count())
        yield Opened(version_of(self.name), platform.machine(), stylizer)
