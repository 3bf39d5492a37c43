"""Runs a .tflite pair in another Python: `python -m tests.runtimes.painter FOLDER RUNTIME THREADS`.

What it needs is what a device needs: NumPy, Pillow and one runtime. Pairs come in through standard input, pictures go
out through standard output.
"""

import importlib.metadata
import io
import os
import platform
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from toolkit.runtimes.litert import DeviceStylizer
from toolkit.runtimes.tflite_network import RUNTIMES

PACKAGES = {"litert": "ai-edge-litert", "litert-gpu": "ai-edge-litert", "tflite-runtime": "tflite-runtime"}
_LENGTH = struct.Struct("<Q")


def send(stream: BinaryIO, **arrays: np.ndarray) -> None:
    """Writes named arrays to a pipe."""
    encoded = io.BytesIO()
    np.savez(encoded, **arrays)
    stream.write(_LENGTH.pack(encoded.tell()) + encoded.getvalue())
    stream.flush()


def receive(stream: BinaryIO) -> dict[str, np.ndarray]:
    """Reads named arrays from a pipe; none where the other side has gone."""
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        return {}
    (length,) = _LENGTH.unpack(header)
    encoded = stream.read(length)
    if len(encoded) < length:
        return {}
    with np.load(io.BytesIO(encoded), allow_pickle=False) as arrays:
        return dict(arrays)


def version_of(runtime: str) -> str:
    """Returns the versions of a runtime, of NumPy and of Python."""
    version = importlib.metadata.version(PACKAGES[runtime])
    return f"{PACKAGES[runtime]} {version}, NumPy {np.__version__}, Python {platform.python_version()}"


def opened(folder: Path, runtime: str, threads: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Opens a pair on a runtime, or on LiteRT's GPU delegate."""
    if runtime in RUNTIMES:
        return DeviceStylizer(folder, runtime, threads)
    from tests.runtimes.gpu_pair import GPUPair

    return GPUPair(folder)


def main() -> None:
    """Tells what runs, then paints a picture for each pair until there are no more."""
    folder, runtime, threads = sys.argv[1:]
    # What a library prints is no picture.
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)
        stylizer = opened(Path(folder), runtime, int(threads))
        others = [module for name, module in RUNTIMES.items() if runtime in RUNTIMES and name != runtime]
        if unwanted := {"tensorflow", "keras", *others} & set(sys.modules):
            raise SystemExit(f"{', '.join(sorted(unwanted))} was loaded, which a device does not have")
        send(answers, version=np.array(version_of(runtime)), machine=np.array(platform.machine()))
        while pair := receive(sys.stdin.buffer):
            send(answers, picture=stylizer(pair["content"], pair["style"]))


if __name__ == "__main__":
    main()
