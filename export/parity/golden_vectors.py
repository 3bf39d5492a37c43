"""Golden vectors: inputs of an artifact's networks and what the float32 model gives for them, beside its files.

A device runs the networks on the inputs and writes what they gave; `export.parity.device_outputs` compares it.
"""

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact import Artifact
from export.gates import FEATURE_GATES, Gate
from export.parity import evaluation
from toolkit.errors import InputError, as_input_error
from toolkit.files import strict_json
from toolkit.files.opening import read_bounded
from toolkit.imaging import samples
from toolkit.manifest import GOLDEN_ARRAYS, GOLDEN_HEADER, GOLDEN_VALUES

# Formats whose files run outside Python.
FORMATS = ("tflite", "onnx", "baked")
# The side of the pictures, in pixels, for files of any size.
SIDE = 64
# Of what is read from files: VGG19's features are the longest header, a picture of 4096 pixels the most values.
MAX_HEADER_BYTES = 1 << 20
MAX_VALUE_BYTES = 1 << 30
# Raw values: little-endian, as almost every device has them.
VALUES = np.dtype("<f4")
# The name of the array with the vectors' `id`, in .npz files.
ID = "golden"


@dataclass(frozen=True)
class GoldenVectors:
    """The golden vectors of an artifact.

    Attributes:
        artifact: the artifact's path.
        networks: `file`, `signature`, and names of `inputs` and `outputs` of each network.
        inputs: tensors by name, float32; pictures in [0, 1].
        outputs: what the float32 model gives for them, by name; an output may be another network's input.
        gates: the gate of each output.
    """

    artifact: str
    networks: tuple[Mapping[str, Any], ...]
    inputs: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]
    gates: Mapping[str, Gate]

    @classmethod
    def of(
        cls, artifact: Artifact, signatures: Mapping[str, Any], inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> "GoldenVectors":
        """Creates the vectors of an artifact with the given signatures, as in the manifest."""
        networks = tuple(
            {"file": one["file"], "signature": name, "inputs": list(one["inputs"]), "outputs": list(one["outputs"])}
            for name, one in signatures.items()
        )
        taken, given = ({name: np.asarray(array, VALUES) for name, array in side.items()} for side in (inputs, outputs))
        gates = {name: gate_of(name, artifact) for name in outputs}
        return cls(artifact.path, networks, taken, given, gates)

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns all tensors by name, in the order of the raw values."""
        return {**self.inputs, **self.outputs}

    def values(self) -> bytes:
        """Returns the raw values."""
        return b"".join(np.ascontiguousarray(array).tobytes() for array in self.arrays().values())

    def header(self) -> dict[str, Any]:
        """Returns the header, whose `id` names these vectors: it depends on everything else."""
        record = {"artifact": self.artifact, "networks": list(self.networks), "tensors": list(self._tensors())}
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode() + self.values())
        return {"id": digest.hexdigest(), **record}

    def _tensors(self) -> Iterator[dict[str, Any]]:
        offset = 0
        for name, array in self.arrays().items():
            gate = {"gate": self.gates[name].bounds()} if name in self.gates else {}
            role = "output" if name in self.outputs else "input"
            yield {"name": name, "role": role, "shape": list(array.shape), "offset": offset, **gate}
            offset += array.nbytes

    def write(self, folder: Path) -> None:
        """Writes the vectors as raw values with a header, and the same as arrays of NumPy."""
        header = self.header()
        (folder / GOLDEN_HEADER).write_text(json.dumps(header, indent=1) + "\n", encoding="utf-8")
        (folder / GOLDEN_VALUES).write_bytes(self.values())
        arrays: dict[str, Any] = {ID: np.array(header["id"]), **self.arrays()}
        np.savez_compressed(folder / GOLDEN_ARRAYS, **arrays)

    @classmethod
    def read(cls, folder: Path) -> "GoldenVectors":
        """Reads the vectors of an artifact from its folder.

        Raises:
            InputError: they are missing, damaged, or do not have the `id` of their header.
        """
        header, values = read_header(folder), _bounded(folder / GOLDEN_VALUES, MAX_VALUE_BYTES, "golden vectors")
        with as_input_error(f"{folder / GOLDEN_HEADER}: not the header of golden vectors"):
            sides: dict[str, dict[str, np.ndarray]] = {"input": {}, "output": {}}
            for one in header["tensors"]:
                count = math.prod(one["shape"])
                array = np.frombuffer(values, VALUES, count, one["offset"]).reshape(one["shape"])
                sides[one["role"]][one["name"]] = array
            gates = {one["name"]: Gate(**one["gate"]) for one in header["tensors"] if "gate" in one}
            found = cls(header["artifact"], tuple(header["networks"]), sides["input"], sides["output"], gates)
            is_same = found.header()["id"] == header["id"]
        if not is_same:
            raise InputError(f"{folder}: its golden vectors are not those of the id in {GOLDEN_HEADER}")
        return found

    def difference(self, folder: Path) -> str | None:
        """Returns in which way the files in a folder are not these vectors; None if they are.

        Outputs may differ by what another processor rounds; a gate may not.
        """
        found = GoldenVectors.read(folder)
        if (found.artifact, found.networks, found.gates) != (self.artifact, self.networks, self.gates):
            return "their artifact, networks or gates"
        for name, array in self.arrays().items():
            other = found.arrays().get(name, np.empty(0))
            scale = max(1.0, float(np.abs(array).max()))
            if other.shape != array.shape or not np.abs(other - array).max() <= 1e-4 * scale:
                return name
        with as_input_error(f"{folder / GOLDEN_ARRAYS}: not golden vectors"):
            same = str(npz_array(folder / GOLDEN_ARRAYS, ID)) == found.header()["id"] and all(
                np.array_equal(npz_array(folder / GOLDEN_ARRAYS, name, array.shape), array)
                for name, array in found.arrays().items()
            )
        return None if same else GOLDEN_ARRAYS


def gate_of(output: str, artifact: Artifact) -> Gate:
    """Returns the gate of an output: a picture's is the artifact's, a bottleneck or features have a cosine."""
    return evaluation.gate_of(artifact) if output == "stylized_image" else FEATURE_GATES[artifact.quantization]


def pictures(signatures: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Prepares a picture for each input of pictures, float32 in [0, 1], rounded to 8 bits.

    Args:
        signatures: as in the manifest; where a file takes any size, the picture has a side of `SIDE` pixels.
    """
    found = {}
    for signature in signatures.values():
        for name, tensor in signature["inputs"].items():
            if tensor["shape"][-1:] != [3] or not name.endswith("image"):
                continue
            height, width = (side or SIDE for side in tensor["shape"][1:3])
            source = samples.styles()["starry_night"] if name == "style_image" else samples.photos()["chelsea"]
            found[name] = evaluation.prepared(source, height, width)
    return found


def read_header(folder: Path) -> dict[str, Any]:
    """Reads the header of golden vectors; refuses anything else."""
    path = folder / GOLDEN_HEADER
    content = _bounded(path, MAX_HEADER_BYTES, "the header of golden vectors")
    with as_input_error(f"{path}: not the header of golden vectors"):
        header = strict_json.parse(content)
        if not isinstance(header, dict) or not isinstance(header["id"], str):
            raise ValueError("it has no id")
    return header


def _bounded(path: Path, most: int, kind: str) -> bytes:
    try:
        return read_bounded(path, most, kind)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def npz_names(path: Path) -> list[str]:
    """Returns the names of the arrays in a .npz file, without that of the id."""
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
    return [name for name in names if name != ID]


def npz_array(path: Path, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Reads an array of floats or text from a .npz file, without unpacking more than it may have.

    Args:
        path: the file.
        name: of the array.
        shape: the expected shape; None for a text of a few letters.

    Raises:
        ValueError: it has another shape or type.
        KeyError: there is no such array.
    """
    most = (8 * math.prod(shape) if shape is not None else 0) + _MAX_NPY_HEADER
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
        content = io.BytesIO(stream.read(most + 1))
    if content.getbuffer().nbytes > most:
        raise ValueError(f"{name} is larger than {most} bytes")
    version = np.lib.format.read_magic(content)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    found, is_fortran, dtype = read(content)
    wanted = "U" if shape is None else "f"
    if found != (shape or ()) or dtype.kind != wanted:
        raise ValueError(f"{name} has the shape {list(found)} and the type {dtype}, not {list(shape or ())}")
    values = np.frombuffer(content.read(), dtype)
    return values.reshape(found, order="F" if is_fortran else "C")


_MAX_NPY_HEADER = 4096
