"""Reads untrusted .tflite files: every offset is checked before it is followed.

LiteRT verifies a file before it opens it; tflite-runtime follows the offsets of a damaged file out of bounds or in
circles. Neither names the operations that it does not support, and tflite-runtime ships no schema. So the required
tables of TensorFlow Lite's schema (tensorflow/compiler/mlir/lite/schema/schema.fbs) are listed here.
"""

import math
import mmap
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import InputError, as_input_error
from toolkit.files.opening import open_file

IDENTIFIER = b"TFL3"
# Tensor types, by their numbers in the schema.
FLOAT32, FLOAT16, INT8 = 0, 1, 9
TYPES = (
    *("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64"),
    *("complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16"),
)
SCHEMA_VERSION = 3
# A runtime allocates whatever a file asks for. This is the size of VGG19's first maps at 4096x4096 pixels.
MAX_NUMBERS = 1 << 30
# No operation supports nearly as many dimensions.
MAX_RANK = 64

# The type of a field: a number by its `struct` code, a vector of numbers in a list, a string, a table by the schema of
# its fields, or a vector of tables in a list. A schema lists the fields that are read, with their ids.
_STRING = "string"
_TENSOR_MAP = {"name": (0, _STRING), "tensor": (1, "I")}
_MODEL: dict[str, Any] = {
    "version": (0, "I"),
    # Codes from 127 on are in `code` alone; older files have only `old_code`.
    "operator_codes": (1, [{"old_code": (0, "b"), "custom": (1, _STRING), "code": (3, "i")}]),
    "subgraphs": (
        2,
        [
            {
                "tensors": (
                    0,
                    [
                        {
                            "shape": (0, ["i"]),
                            "type": (1, "b"),
                            "buffer": (2, "I"),
                            "name": (3, _STRING),
                            "quantization": (
                                4,
                                {"min": (0, ["f"]), "max": (1, ["f"]), "scale": (2, ["f"]), "zero_point": (3, ["q"])},
                            ),
                            "shape_signature": (7, ["i"]),
                        }
                    ],
                ),
                "inputs": (1, ["i"]),
                "outputs": (2, ["i"]),
                "operators": (
                    3,
                    [
                        {
                            "operator_code": (0, "I"),
                            "inputs": (1, ["i"]),
                            "outputs": (2, ["i"]),
                            "options": (4, {}),
                            "custom_options": (5, ["B"]),
                            "intermediates": (8, ["i"]),
                        }
                    ],
                ),
                "name": (4, _STRING),
            }
        ],
    ),
    "description": (3, _STRING),
    "buffers": (4, [{"data": (0, ["B"]), "offset": (1, "Q"), "size": (2, "Q")}]),
    "metadata": (6, [{"name": (0, _STRING), "buffer": (1, "I")}]),
    "signatures": (
        7,
        [{"inputs": (0, [_TENSOR_MAP]), "outputs": (1, [_TENSOR_MAP]), "key": (2, _STRING), "graph": (4, "I")}],
    ),
}


@dataclass(frozen=True)
class TFLiteTensor:
    """A tensor that is not a constant: an input, an intermediate or an output.

    Attributes:
        name: the name in the signature, or in the graph without a signature.
        dtype: the name of its type, such as `float32`.
        shape: None for a variable dimension.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class TFLiteSignature:
    """A signature of a network.

    Attributes:
        name: the signature's name; empty for the first graph of a file without signatures.
        inputs: the tensors that the caller passes.
        outputs: the tensors that the caller receives.
    """

    name: str
    inputs: tuple[TFLiteTensor, ...]
    outputs: tuple[TFLiteTensor, ...]


@dataclass(frozen=True)
class TFLiteFile:
    """The contents of a valid .tflite file.

    Attributes:
        signatures: the signatures, in order.
        first_graph: inputs and outputs of the first graph, whether or not there is a signature.
        operations: number of operations, by TFLite's code or the name of a custom operation.
        computed: all tensors that are not constants.
        size: bytes of the file.
        constant_bytes: bytes of the weights and other constants.
        custom_operations: names of the custom operations; TensorFlow's begin with `Flex`.
        metadata: the metadata entries, by name.
        weights: bytes of the largest constant of each type, by the type's number in the schema.
        activations: types of all other tensors.
    """

    signatures: tuple[TFLiteSignature, ...]
    first_graph: TFLiteSignature
    operations: dict[int | str, int]
    computed: tuple[TFLiteTensor, ...]
    size: int
    constant_bytes: int
    custom_operations: tuple[str, ...]
    metadata: dict[str, bytes]
    weights: dict[int, int]
    activations: frozenset[int]


def read_tflite(path: Path) -> TFLiteFile:
    """Reads a .tflite file and checks that everything its tables refer to lies in the file.

    The options of operations and the shapes of their tensors are not checked: the runtime checks most of that, and a
    bundle checks every file against its hash.

    Raises:
        InputError: there is no such file, it is not a TFLite model, or it is damaged or cut short.
    """
    if path.is_dir() or not path.exists():
        raise InputError(f"{path}: no such file")
    try:
        # An empty file cannot be mapped.
        with (
            open_file(path) as stream,
            as_input_error(f"{path}: not a TFLite model"),
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return _read(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _read(data: mmap.mmap) -> TFLiteFile:
    if data[4:8] != IDENTIFIER:
        raise ValueError(f"{len(data)} bytes without the identifier {IDENTIFIER.decode()}")
    model = _Reader(data).root()
    if model.get("version") != SCHEMA_VERSION:
        raise ValueError(f"schema version {model.get('version')}, not {SCHEMA_VERSION}")
    if not model.get("subgraphs"):
        raise ValueError("it has no graph")
    for graph in model["subgraphs"]:
        for tensor in graph.get("tensors", []):
            _check_shape(data, tensor)
    contents = [_content(data, buffer) for buffer in model.get("buffers", [])]
    named = [(entry.get("name", ""), entry.get("buffer", 0)) for entry in model.get("metadata", [])]
    graphs = [_Graph(data, graph, contents) for graph in model["subgraphs"]]
    return TFLiteFile(
        tuple(_signature(signature, graphs) for signature in model.get("signatures", [])),
        TFLiteSignature("", graphs[0].ends("inputs"), graphs[0].ends("outputs")),
        _operations(model),
        tuple(tensor for graph in graphs for tensor in graph.computed()),
        len(data),
        sum(end - start for start, end in contents),
        tuple(dict.fromkeys(code["custom"] for code in model.get("operator_codes", []) if code.get("custom"))),
        {name: bytes(data[slice(*contents[index])]) for name, index in named if index < len(contents)},
        *_types(model, contents),
    )


class _Graph:
    """The tensors of a graph, read from its tables and the file around them."""

    def __init__(self, data: mmap.mmap, graph: dict[str, Any], contents: list[tuple[int, int]]) -> None:
        self._data, self._graph, self._contents = data, graph, contents
        self._tensors = graph.get("tensors", [])

    def ends(self, side: str) -> tuple[TFLiteTensor, ...]:
        return tuple(self.tensor(index) for index in _integers(self._data, self._graph.get(side, (0, 0))))

    def tensor(self, index: int, name: str | None = None) -> TFLiteTensor:
        if not 0 <= index < len(self._tensors):
            raise ValueError(f"damaged: it refers to tensor {index} of {len(self._tensors)}")
        tensor = self._tensors[index]
        shape = _integers(self._data, tensor.get("shape_signature") or tensor.get("shape", (0, 0)))
        kind = tensor.get("type", FLOAT32)
        dtype = TYPES[kind] if 0 <= kind < len(TYPES) else f"type {kind}"
        sides = tuple(None if side < 0 else side for side in shape)
        return TFLiteTensor(tensor.get("name", "") if name is None else name, dtype, sides)

    def computed(self) -> Iterator[TFLiteTensor]:
        for index, tensor in enumerate(self._tensors):
            buffer = tensor.get("buffer", 0)
            start, end = self._contents[buffer] if buffer < len(self._contents) else (0, 0)
            if end == start:
                yield self.tensor(index)


def _integers(data: mmap.mmap, span: tuple[int, int]) -> tuple[int, ...]:
    start, end = span
    return struct.unpack(f"<{(end - start) // 4}i", data[start:end])


def _operations(model: dict[str, Any]) -> dict[int | str, int]:
    codes = model.get("operator_codes", [])
    counts: Counter[int | str] = Counter()
    for operator in (operator for graph in model["subgraphs"] for operator in graph.get("operators", [])):
        index = operator.get("operator_code", 0)
        if index >= len(codes):
            raise ValueError(f"damaged: it refers to operation {index} of {len(codes)}")
        code = codes[index]
        counts[code.get("custom") or max(code.get("code", 0), code.get("old_code", 0))] += 1
    return dict(counts.most_common())


def _types(model: dict[str, Any], contents: list[tuple[int, int]]) -> tuple[dict[int, int], frozenset[int]]:
    weights: dict[int, int] = {}
    activations = set()
    for tensor in (tensor for graph in model["subgraphs"] for tensor in graph.get("tensors", [])):
        buffer, kind = tensor.get("buffer", 0), tensor.get("type", FLOAT32)
        start, end = contents[buffer] if buffer < len(contents) else (0, 0)
        if end > start:
            weights[kind] = max(weights.get(kind, 0), end - start)
        else:
            activations.add(kind)
    return weights, frozenset(activations)


def _check_shape(data: mmap.mmap, tensor: dict[str, Any]) -> None:
    shape = _integers(data, tensor.get("shape", (0, 0)))
    if len(shape) > MAX_RANK or math.prod(shape) > MAX_NUMBERS:
        raise ValueError(f"damaged: tensor {tensor.get('name', '')!r} has the shape {list(shape)[:8]}")


def _content(data: mmap.mmap, buffer: dict[str, Any]) -> tuple[int, int]:
    """The start and end of a buffer's bytes, which an offset above 1 places after all tables."""
    start, end = buffer.get("data", (0, 0))
    if buffer.get("offset", 0) > 1:
        start, end = buffer["offset"], buffer["offset"] + buffer.get("size", 0)
    if end > len(data):
        raise ValueError(f"cut short: {len(data)} bytes, a buffer ends at {end}")
    return start, end


def _signature(signature: dict[str, Any], graphs: list[_Graph]) -> TFLiteSignature:
    index = signature.get("graph", 0)
    if index >= len(graphs):
        raise ValueError(f"damaged: a signature refers to graph {index} of {len(graphs)}")
    inputs, outputs = (
        tuple(
            graphs[index].tensor(tensor.get("tensor", 0), tensor.get("name", "")) for tensor in signature.get(side, [])
        )
        for side in ("inputs", "outputs")
    )
    return TFLiteSignature(signature.get("key", ""), inputs, outputs)


class _Reader:
    """Follows the offsets of a flatbuffer; see "FlatBuffers internals" on flatbuffers.dev."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        # A table takes at least four bytes. Without this limit, a file whose offsets share tables could have far more.
        self._tables_left = len(data) // 4

    def root(self) -> dict[str, Any]:
        return self._table(self._number("I", 0), _MODEL)

    def _number(self, code: str, position: int) -> int:
        self._check(position, position + struct.calcsize(code))
        return struct.unpack_from("<" + code, self._data, position)[0]

    def _check(self, start: int, end: int) -> None:
        if start < 0 or end > len(self._data):
            raise ValueError(f"damaged or cut short: {len(self._data)} bytes, it points to byte {max(start, end)}")

    def _table(self, position: int, schema: dict[str, Any]) -> dict[str, Any]:
        self._tables_left -= 1
        if self._tables_left < 0:
            raise ValueError("damaged: more tables than fit in it")
        layout = position - self._number("i", position)
        layout_size, size = self._number("H", layout), self._number("H", layout + 2)
        self._check(layout, layout + layout_size)
        self._check(position, position + size)
        found = {}
        for name, (index, kind) in schema.items():
            slot = 4 + 2 * index
            offset = self._number("H", layout + slot) if slot < layout_size else 0
            if offset:
                found[name] = self._value(position + offset, kind)
        return found

    def _value(self, position: int, kind: Any) -> Any:
        if isinstance(kind, dict):
            return self._table(position + self._number("I", position), kind)
        if isinstance(kind, list):
            return self._vector(position, kind[0])
        if kind == _STRING:
            start, end = self._span(position, 1)
            return self._data[start:end].decode("utf-8", "replace")
        return self._number(kind, position)

    def _vector(self, position: int, kind: Any) -> Any:
        """Returns the tables of a vector, or the start and end of a vector of numbers."""
        if not isinstance(kind, dict):
            return self._span(position, struct.calcsize("<" + kind))
        start, end = self._span(position, 4)
        return [self._table(at + self._number("I", at), kind) for at in range(start, end, 4)]

    def _span(self, position: int, width: int) -> tuple[int, int]:
        start = position + self._number("I", position) + 4
        end = start + width * self._number("I", start - 4)
        self._check(start, end)
        return start, end
