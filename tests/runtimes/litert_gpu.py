"""LiteRT's GPU delegate on SwiftShader, Chromium's Vulkan in software: the delegate's arithmetic without a GPU."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from export.artifact import Artifact
from tests.runtimes.gpu_pair import NAME
from tests.runtimes.other_python import painting
from tests.runtimes.runtime import GPU_SIDE, MissingRuntimeError, Opened, Runtime

DRIVER = Path(os.environ.get("STYLEPORT_VULKAN_DRIVER", "/usr/lib/chromium/vk_swiftshader_icd.json"))
MACHINE = "software Vulkan (SwiftShader)"


class LiteRTGPU(Runtime):
    """The delegate in a process of its own, on small pictures, since software takes seconds for one."""

    name = NAME

    def runs(self, artifact: Artifact) -> bool:
        """Returns whether an artifact is a float pair of the small size."""
        is_float = artifact.quantization in ("float32", "float16")
        return artifact.format == "tflite" and artifact.size == GPU_SIDE and is_float

    def ready(self) -> None:
        """Looks for the driver."""
        if not DRIVER.is_file():
            raise MissingRuntimeError(
                f"the GPU delegate takes Vulkan: there is no driver at {DRIVER}; install Chromium, or set "
                "STYLEPORT_VULKAN_DRIVER to the JSON file of another"
            )

    @contextlib.contextmanager
    def open(self, folder: Path) -> Iterator[Opened]:
        """See `Runtime.open`."""
        # Chromium brings the loader of Vulkan beside the driver.
        environment = {"VK_DRIVER_FILES": str(DRIVER), "LD_LIBRARY_PATH": str(DRIVER.parent)}
        with painting([sys.executable], folder, NAME, environment=environment) as opened:
            yield dataclasses.replace(opened, machine=MACHINE)
