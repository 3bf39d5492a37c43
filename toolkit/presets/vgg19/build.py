"""Rebuilds the embedded VGG19 from a file of weights: `python -m toolkit.presets.vgg19.build WEIGHTS`.

The file is identified by the hash in the provenance: an `.npz` archive of float32 kernels [3, 3, input, output] and
biases by `<layer>/kernel` and `<layer>/bias`; a kernel may be 8-bit instead, as `<layer>/kernel:u8` with its `:scale`
and `:min`.
"""

import argparse
import hashlib
import io
import json
import sys
import zlib
from pathlib import Path

import numpy as np

from toolkit.errors import InputError, StyleportError
from toolkit.presets import vgg19
from toolkit.printing import print_lines, print_remark

DESCRIPTION = "VGG19's convolutions up to block5_conv2, trained on ImageNet, in 8 bits"
SOURCE_FILE = "vgg19_notop_u8.npz"
SOURCE_SHA256 = "36f78c2c0a285f08a993b6403fd06d95f30d10a65ca82a51d78bdf7a25b228c1"
# The sources of the weights in the file.
REPOSITORIES = {
    "DavidCai1993/vgg19-tensorflowjs-model": "kernels of blocks 1 to 3 and all biases, float32",
    "neuralpixels/neuralpixels": "kernels of blocks 4 and 5, 8-bit",
}
# Alternating between rounding and scaling has converged by then.
_ROUNDS = 8

# More than sixteen float32 convolutions take.
_MOST_BYTES = 200_000_000
LAYERS = tuple(
    f"block{block}_conv{index}" for block, count in enumerate((2, 2, 4, 4, 2), start=1) for index in range(1, count + 1)
)


def read_weights(content: bytes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads a float32 kernel [3, 3, input, output] and bias [output] of each of the preset's layers, by name."""
    found = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        for layer in LAYERS:
            name = f"{layer}/kernel"
            if name in archive:
                kernel = archive[name]
            else:
                kernel = (archive[f"{name}:u8"] * archive[f"{name}:scale"] + archive[f"{name}:min"]).astype(np.float32)
            found[layer] = kernel, archive[f"{layer}/bias"]
    return found


def packed(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantizes a kernel to 8 bits: symmetric, one scale per output channel, fitted by least squares.

    Args:
        kernel: float32 [3, 3, input, output], without an output channel of zeros.

    Returns:
        The zlib stream (uint8) and the scales (float32 [output]).
    """
    rows = kernel.transpose(3, 0, 1, 2).reshape(kernel.shape[-1], -1).astype(np.float64)
    scale = np.abs(rows).max(axis=1) / 127
    for _ in range(_ROUNDS):
        values = _rounded(rows, scale)
        scale = (rows * values).sum(axis=1) / (values * values).sum(axis=1)
    scale = scale.astype(np.float32)
    # Weights have no repetitions, so only the Huffman coding of DEFLATE helps; it is the fast part, too. LZMA's stream
    # is 6 % shorter and takes eight times as long to read.
    coder = zlib.compressobj(level=9, strategy=zlib.Z_HUFFMAN_ONLY)
    stream = coder.compress(_rounded(rows, scale).astype(np.int8).tobytes()) + coder.flush()
    return np.frombuffer(stream, np.uint8), scale


def _rounded(rows: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(rows / scale[:, None]), -127, 127)


def build(folder: Path, path: Path) -> Path:
    """Writes `vgg19-8bit.npz` from the file of weights, and its provenance beside it; returns the archive's path."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give the file of VGG19 weights") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != SOURCE_SHA256:
        raise InputError(f"{path} has sha256 {sha256}, expected {SOURCE_SHA256}: give the source file of the preset")
    arrays: dict[str, np.ndarray] = {}
    for layer, (kernel, bias) in read_weights(content).items():
        stream, scale = packed(kernel)
        arrays |= {f"{layer}/kernel": stream, f"{layer}/kernel_scale": scale, f"{layer}/bias": bias}
    archive = folder / f"{vgg19.NAME}.npz"
    np.savez(archive, **arrays)  # type: ignore[arg-type]
    provenance = {
        "name": vgg19.NAME,
        "description": DESCRIPTION,
        "papers": ["arXiv:1409.1556"],
        "license": "CC-BY-4.0",
        "copyright": "Visual Geometry Group, University of Oxford",
        "changes": "8 bits a value with one scale an output channel; layers after block5_conv2 left out",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "source": {
            "release": "https://www.robots.ox.ac.uk/~vgg/research/very_deep/",
            "repositories": REPOSITORIES,
            "file": SOURCE_FILE,
            "sha256": SOURCE_SHA256,
        },
        "tools": {"numpy": np.__version__, "zlib": zlib.ZLIB_RUNTIME_VERSION},
    }
    (folder / f"{vgg19.NAME}.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    return archive


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the file of weights")
    parser.add_argument("--output", type=Path, default=vgg19.FOLDER, help="folder to write to")
    arguments = parser.parse_args()
    try:
        path = build(arguments.output, arguments.weights)
    except StyleportError as error:
        print_remark(f"error: {error}")
        sys.exit(error.exit_code)
    print_lines(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
