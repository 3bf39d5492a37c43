"""Builds the .tflite pair that ships with a preset, from its weights: `python -m export.preset_pair`.

The predictor keeps the preset's int8 weights and scales. The runtime dequantizes them when it loads the file, and
computes in float32, so the bottleneck is identical to that of a float32 file four times as large. The transformer's
deployment form adds kernels up, which int8 cannot represent exactly; it is small and stays float32.
"""

import argparse
import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export.artifact import Artifact, ExportOptions
from export.formats import feed_forward_tflite, tflite_metadata
from export.parity import evaluation
from export.quantization.post_training import apply_rules
from toolkit import presets
from toolkit.errors import StyleportError, WorkError
from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.manifest import sha256
from toolkit.printing import print_lines, print_remark
from toolkit.runtimes.litert import DeviceStylizer
from toolkit.runtimes.network_metadata import NetworkMetadata

PRESET = "magenta-mobile"
# Maximum size of the pair, in bytes.
MAX_BYTES = 4_000_000
TOOLS = ("tensorflow", "keras", "numpy", "ai-edge-litert", "litert-quantizer")
WEIGHTS = {
    "predictor": "int8 values and float32 scales as in the archive, multiplied out when the file is loaded",
    "transformer": "float32",
}
_INT8_WEIGHTS = {
    "regex": ".*",
    "operation": "*",
    "algorithm_key": "min_max_uniform_quantize",
    "op_config": {
        "weight_tensor_config": {
            "num_bits": 8,
            "symmetric": True,
            "granularity": "CHANNELWISE",
            "dtype": "INT",
        },
        "compute_precision": "FLOAT",
        "explicit_dequantize": True,
    },
}
# The gate is that of float32, the narrowest of TFLite's: at least 70 dB on every pair.
_ARTIFACT = Artifact("tflite/float32_any", "tflite", "float32", None)


def convert(stylizer: KerasStylizer, network: str, license_name: str) -> bytes:
    """Converts `predictor` or `transformer` to a .tflite file that takes pictures of any size."""
    model = feed_forward_tflite.SplitTFLiteExporter(stylizer, ExportOptions()).convert(network, size=None)
    if network == "predictor":
        model = apply_rules(model, [_INT8_WEIGHTS], feed_forward_tflite.NETWORKS[network].signature, [])
    name = f"{PRESET} {network}, {'int8 weights' if network == 'predictor' else 'float32'}"
    described = NetworkMetadata(name, tflite_metadata.DESCRIPTIONS[network], license_name, input_range=(0, 1))
    return tflite_metadata.with_metadata(model, described)


def check(pair: Callable[..., Any], stylizer: KerasStylizer, size: int) -> None:
    """Raises a WorkError if a pair is too large, or its pictures differ from the Keras model's."""
    if size > MAX_BYTES:
        raise WorkError(f"the pair takes {size} bytes, more than {MAX_BYTES}")
    if failures := evaluation.evaluate(pair, _ARTIFACT, evaluation.ReferenceOutputs(stylizer)).failures:
        raise WorkError(f"the pair's pictures differ from the Keras model's: {failures[0]}")


def build(folder: Path) -> dict[str, Any]:
    """Writes the pair, once verified, and its provenance into a folder; returns the contents of `pair.json`."""
    source = presets.provenance(PRESET)
    stylizer = KerasStylizer.from_preset(PRESET)
    models = {network: convert(stylizer, network, source["license"]) for network in feed_forward_tflite.NETWORKS}
    with tempfile.TemporaryDirectory() as made:
        paths = {network: Path(made, feed_forward_tflite.NETWORKS[network].file) for network in models}
        for network, model in models.items():
            paths[network].write_bytes(model)
        size = sum(map(len, models.values()))
        check(DeviceStylizer((paths["predictor"], paths["transformer"])), stylizer, size)
        record = {
            "preset": PRESET,
            "license": source["license"],
            "copyright": source["copyright"],
            "made_from": {f"{PRESET}.npz": source["sha256"]},
            "files": {
                path.name: {"sha256": sha256(path), "bytes": len(models[network]), "weights": WEIGHTS[network]}
                for network, path in paths.items()
            },
            "tools": {name: importlib.metadata.version(name) for name in TOOLS},
        }
    folder.mkdir(parents=True, exist_ok=True)
    for network, model in models.items():
        (folder / feed_forward_tflite.NETWORKS[network].file).write_bytes(model)
    (folder / presets.PAIR_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return record


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=presets.FOLDER / PRESET, help="folder to write to")
    arguments = parser.parse_args()
    try:
        record = build(arguments.output)
    except StyleportError as error:
        print_remark(f"error: {error}")
        sys.exit(error.exit_code)
    for name, file in record["files"].items():
        print_lines(f"{arguments.output / name} {file['bytes']} {file['sha256']}")


if __name__ == "__main__":
    main()
