"""The embedded VGG19: its convolutions up to block5_conv2 in 8 bits, with provenance.

The preset is two files here. The archive `vgg19-8bit.npz` holds, for each convolution, `<layer>/kernel` (int8 values
[output, height, width, input] as a zlib stream), `<layer>/kernel_scale` (float32, one per output channel) and
`<layer>/bias` (float32); the real kernel is value times scale. `vgg19-8bit.json` records their provenance.
"""

import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError, WorkError
from toolkit.files import strict_json
from toolkit.presets import damaged

FOLDER = Path(__file__).parent
NAME = "vgg19-8bit"
LAST_LAYER = "block5_conv2"

# A kernel of VGG19 is at most this large, whatever the archive claims.
_LARGEST_KERNEL = 3 * 3 * 512 * 512


def provenance() -> dict[str, Any]:
    """Returns where the weights come from: sources with their sha256, license, tool versions, the archive's sha256."""
    path = FOLDER / f"{NAME}.json"
    content = path.read_bytes()
    with damaged(path):
        record: dict[str, Any] = strict_json.parse(content)
        if not isinstance(record["sha256"], str):
            raise TypeError("its sha256 is not a string")
        return record


def weights() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Reads the weights, one convolution at a time, shallow layers first.

    Yields:
        The layer's name in `keras.applications`, the float32 kernel [3, 3, input, output] and the float32 bias
        [output].

    Raises:
        InputError: the archive has another hash.
        WorkError: a file of the preset cannot be read.
    """
    path = FOLDER / f"{NAME}.npz"
    try:
        content, expected = path.read_bytes(), provenance()["sha256"]
    except OSError as error:
        raise WorkError(f"cannot read {error.filename}: {error.strerror}; reinstall styleport") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise InputError(f"{path} is damaged: its sha256 is {actual}, not {expected}; reinstall styleport")
    with damaged(path), np.load(io.BytesIO(content), allow_pickle=False) as archive:
        for key in archive:
            layer, _, part = key.partition("/")
            if part == "kernel":
                scale, bias = archive[f"{layer}/kernel_scale"], archive[f"{layer}/bias"]
                yield layer, _unpacked(archive[key], scale), bias


def _unpacked(stream: np.ndarray, scale: np.ndarray) -> np.ndarray:
    values = zlib.decompressobj().decompress(stream.tobytes(), _LARGEST_KERNEL)
    kernel = np.frombuffer(values, np.int8).reshape(len(scale), 3, 3, -1)
    # Scaled before it is transposed: the other order takes twice as long.
    return (kernel * scale[:, None, None, None]).transpose(1, 2, 3, 0)
