"""Compares what a device wrote for golden vectors with what the float32 model gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.gates import Gate, Metrics
from export.parity import evaluation, golden_vectors
from export.parity.golden_vectors import ID, VALUES, GoldenVectors
from toolkit import manifest as manifests
from toolkit.errors import InputError, as_input_error
from toolkit.files import strict_json
from toolkit.files.opening import open_file
from toolkit.manifest import GOLDEN_HEADER
from toolkit.manifest_types import Manifest

# The first line of raw outputs names two or three tensors.
_MAX_FIRST_LINE = 1 << 12
_ZIP = b"PK"


@dataclass(frozen=True)
class OutputResult:
    """The comparison of one output.

    Attributes:
        name: the tensor.
        metrics: the differences.
        gate: their bounds.
        where: index of the largest difference, or of the first value that is not a number.
        value: what the device wrote there.
        expected: what the float32 model gives there.
    """

    name: str
    metrics: Metrics
    gate: Gate
    where: tuple[int, ...]
    value: float
    expected: float

    @property
    def failures(self) -> list[str]:
        """A line for each metric out of bounds, or for values that are not numbers."""
        place = f"at {list(self.where)}, where it is {self.value:.4g}, not {self.expected:.4g}"
        if not np.isfinite(self.value):
            return [f"{self.name}: holds values that are not finite, the first {place}"]
        return [f"{self.name}: {line}; it differs most {place}" for line in self.gate.failures(self.metrics)]

    def to_json(self) -> dict[str, Any]:
        """Returns metrics, gate and place; what is not finite becomes None, because JSON has no such numbers."""
        numbers = {**self.metrics.measured(), "value": self.value, "expected": self.expected}
        told = {name: value if np.isfinite(value) else None for name, value in numbers.items()}
        return {**told, "where": list(self.where), "gate": self.gate.bounds(), "verdict": self.verdict}

    @property
    def verdict(self) -> str:
        """`pass` or `fail`."""
        return "fail" if self.failures else "pass"


def find(bundle: Path, manifest: Manifest, outputs: Path) -> tuple[GoldenVectors, dict[str, np.ndarray]]:
    """Finds the golden vectors that a file of outputs was written for, and reads the outputs.

    Args:
        bundle: the bundle's folder.
        manifest: its manifest.
        outputs: a .npz file with the array `golden`, the id, and one for each output; or a line of JSON,
            `{"golden": id, "outputs": [names]}`, followed by the outputs as little-endian float32.

    Returns:
        The vectors, from an artifact whose files match the manifest; and the outputs by name, at least one.

    Raises:
        InputError: a file is missing or damaged, or the outputs are of another bundle, or have another shape.
    """
    identity, names = _identity(outputs)
    paths = [path for path in manifests.artifacts(manifest) if (bundle / path / GOLDEN_HEADER).is_file()]
    if not paths:
        raise InputError(f"{bundle}: holds no golden vectors: export it again with tflite or onnx among --formats")
    ids = {golden_vectors.read_header(manifests.resolve(bundle, path))["id"]: path for path in paths}
    if identity not in ids:
        raise InputError(
            f"{outputs}: written for the golden vectors {identity[:12]!r}, which {bundle} does not have: they are of "
            "another bundle or of another export"
        )
    vectors = GoldenVectors.read(manifests.open_artifact(bundle, ids[identity], manifest))
    if unknown := [name for name in names if name not in vectors.outputs]:
        raise InputError(f"{outputs}: has {unknown[0]!r}, not an output: choose from {', '.join(vectors.outputs)}")
    if not names or len(set(names)) < len(names):
        raise InputError(f"{outputs}: names no output, or one twice: choose from {', '.join(vectors.outputs)}")
    with as_input_error(f"{outputs}: not outputs for {vectors.artifact}"):
        return vectors, _read(outputs, {name: vectors.outputs[name] for name in names})


def _identity(path: Path) -> tuple[str, list[str]]:
    """The id of the vectors and the names of the outputs in a file."""
    try:
        with open_file(path) as stream:
            start = stream.readline(_MAX_FIRST_LINE)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    hint = "write a .npz file, or a line of JSON and the values"
    with as_input_error(f"{path}: not outputs for golden vectors", hint):
        if start.startswith(_ZIP):
            return str(golden_vectors.npz_array(path, ID)), golden_vectors.npz_names(path)
        record = strict_json.parse(start)
        identity, names = record["golden"], record["outputs"]
        if not isinstance(identity, str) or not all(isinstance(name, str) for name in names):
            raise ValueError("its first line has no id and no names")
        return identity, list(names)


def _read(path: Path, expected: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    with open_file(path) as stream:
        if stream.readline(_MAX_FIRST_LINE).startswith(_ZIP):
            return {name: golden_vectors.npz_array(path, name, array.shape) for name, array in expected.items()}
        needed = sum(array.nbytes for array in expected.values())
        content = stream.read(needed + 1)
    if len(content) != needed:
        count = f"{len(content)}" if len(content) < needed else f"more than {needed}"
        raise ValueError(f"{count} bytes after the first line, not {needed}")
    values, found = np.frombuffer(content, VALUES), {}
    for name, array in expected.items():
        found[name], values = values[: array.size].reshape(array.shape), values[array.size :]
    return found


def compare(vectors: GoldenVectors, outputs: Mapping[str, np.ndarray]) -> list[OutputResult]:
    """Compares outputs, by name, with those of the float32 model."""
    return [_compared(name, vectors.outputs[name], outputs[name], vectors.gates[name]) for name in outputs]


def _compared(name: str, expected: np.ndarray, found: np.ndarray, gate: Gate) -> OutputResult:
    found = found.astype(np.float32)
    if name == "stylized_image":
        metrics = evaluation.compare(expected[0], found[0])
    else:
        difference = np.abs(expected.astype(np.float64) - found)
        metrics = Metrics(
            max_abs=float(difference.max()),
            mean_abs=float(difference.mean()),
            cosine=evaluation.cosine(expected, found),
        )
    distance = np.where(np.isfinite(found), np.abs(expected - found), np.inf)
    where = tuple(int(index) for index in np.unravel_index(int(distance.argmax()), expected.shape))
    return OutputResult(name, metrics, gate, where, float(found[where]), float(expected[where]))
