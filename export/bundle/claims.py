"""Checks a manifest's claims against its files: metrics, gate, verdict, signatures, labels, origin."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from export.artifact import ANY_SIZE, FIXED_QUANTIZATION, Artifact
from export.gates import Parity
from export.quantization import rules
from toolkit.manifest_types import ArtifactRecord, SourceRecord
from toolkit.runtimes import onnx_file
from toolkit.runtimes.tflite_file import FLOAT16, FLOAT32, INT8, read_tflite

# On one machine, an artifact always has the same metrics. Another processor rounds differently, which changes an error
# by a few percent, the largest error by more, and errors near the precision of float32 by any amount.
_RELATIVE = {"max_abs": 0.25, "mean_abs": 0.1, "p999": 0.1, "psnr": 0.1}
_NOISE = 5e-6
_LIKENESS = 2e-3
# From this number of bytes on, conversion to 8 bits leaves no weights in floating point.
_QUANTIZED_BYTES = 4096


def false_claims(
    record: ArtifactRecord, artifact: Artifact, measured: Parity, folder: Path, signatures: dict[str, Any]
) -> list[str]:
    """Returns a line for each false claim of an artifact's record, given the new measurements of its files."""
    found = [*_false_labels(artifact, folder, signatures)]
    if record["signatures"] != json.loads(json.dumps(signatures)):
        found.append("its recorded signatures are not those of its files")
    if record["gate"] != measured.gate.bounds():
        found.append(f"its recorded gate {record['gate']} is not that of {artifact.kind}, {measured.gate.bounds()}")
    if record["verdict"] != measured.verdict:
        found.append(f"its recorded verdict is {record['verdict']!r}, not {measured.verdict!r}")
    return [f"{artifact.path}: {line}" for line in found]


def false_source(recorded: SourceRecord, anew: SourceRecord) -> list[str]:
    """Returns a line for each false claim of a manifest about the bundle's model."""
    return [
        f"the model's recorded {name} is {value}, but actually {anew.get(name)}"
        for name, value in recorded.items()
        if name != "reference" and value != anew.get(name)
    ]


def false_metrics(record: ArtifactRecord, artifact: Artifact, measured: Parity) -> list[str]:
    """Returns a line for each recorded metric that differs more than another processor can explain."""
    recorded: dict[str, Any] = {**record["parity"]}
    anew = measured.to_json()["parity"]
    return [
        f"{artifact.path}: its recorded {name} is {recorded.get(name)}, measured again it is {anew.get(name)}"
        for name in sorted({*recorded, *anew} - {"worst_pair"})
        if not _agree(name, recorded.get(name), anew.get(name))
    ]


def _agree(name: str, recorded: float | None, anew: float | None) -> bool:
    if recorded is None or anew is None or name == "pairs":
        return recorded == anew
    if name not in _RELATIVE:
        return abs(recorded - anew) <= _LIKENESS
    if name == "psnr":
        recorded, anew = (math.pow(10, -min(max(value, 0), 1000) / 20) for value in (recorded, anew))
    return abs(recorded - anew) <= _RELATIVE[name] * max(recorded, anew) + _NOISE


def _false_labels(artifact: Artifact, folder: Path, signatures: dict[str, Any]) -> Iterator[str]:
    said = (artifact.quantization, artifact.size)
    able = (FIXED_QUANTIZATION[artifact.format], None) if artifact.format in FIXED_QUANTIZATION else said
    able = (artifact.quantization, None) if artifact.format in ANY_SIZE else able
    if artifact.path != artifact.label or said != able:
        yield f"it is recorded as {artifact.format}, {artifact.quantization}, size {artifact.size or 'any'}"
    files = [*sorted(folder.rglob("*.tflite")), *sorted(folder.rglob("*.onnx"))]
    if not all(_is(artifact.quantization, path) for path in files):
        yield f"its networks are not {artifact.quantization}"
    if artifact.format in ("tflite", "baked"):
        shapes = [tensor["shape"] for signature in signatures.values() for tensor in signature["inputs"].values()]
        if [artifact.size] * 2 not in [shape[1:3] for shape in shapes if len(shape) == 4]:
            yield f"its networks do not take pictures of size {artifact.size or 'any'}"


def _is(quantization: str, path: Path) -> bool:
    """Returns whether a network's tensor types match its quantization."""
    if path.suffix == onnx_file.SUFFIX:
        return quantization == ("float16" if "float16" in onnx_file.read_onnx(path).weights else "float32")
    file = read_tflite(path)
    kinds = {*file.weights, *file.activations}
    if quantization == "float32":
        return not kinds & {FLOAT16, INT8}
    made, ruled_out = {
        "float16": (FLOAT16 in file.weights, INT8 in kinds),
        "dynamic": (INT8 in file.weights, INT8 in file.activations),
        "int8": (INT8 in file.activations, False),
    }[quantization]
    if ruled_out or made:
        return not ruled_out
    # Weights may be in floating point where no quantization applies.
    return file.weights.get(FLOAT32, 0) < _QUANTIZED_BYTES or not rules.layers(path.read_bytes(), None)
