"""Reads untrusted .onnx files: of bounded size, in one piece, and of ONNX's own operations only."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import InputError, MissingExtraError, as_input_error
from toolkit.extras import install, is_installed
from toolkit.files.opening import read_bounded
from toolkit.runtimes.tflite_file import MAX_NUMBERS

SUFFIX = ".onnx"
# Several times VGG19 up to its last convolution.
MAX_BYTES = 1 << 29
# The names of ONNX's own operations.
_OWN_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class ONNXFile:
    """The contents of a valid .onnx file.

    Attributes:
        content: its bytes.
        name: name of its graph.
        inputs: shape (None for a variable dimension) and type of each input, by name.
        outputs: the same of each output.
        operations: number of operations by name, the most frequent first.
        constant_bytes: bytes of the weights and other constants.
        weights: bytes of the largest constant of each type, by the type's name.
        opset: the version of ONNX's operations.
        metadata: the metadata entries, by name.
    """

    content: bytes
    name: str
    inputs: Mapping[str, tuple[tuple[int | None, ...], str]]
    outputs: Mapping[str, tuple[tuple[int | None, ...], str]]
    operations: Mapping[str, int]
    constant_bytes: int
    weights: Mapping[str, int]
    opset: int
    metadata: Mapping[str, bytes]


def check_installed(*packages: str) -> None:
    """Refuses work that needs a missing package of the extra `onnx`."""
    for package in packages:
        if not is_installed(package):
            raise MissingExtraError(f".onnx files need {package}: {install('onnx')}")


def read_onnx(path: Path) -> ONNXFile:
    """Reads a .onnx file and checks that everything that it refers to is in it.

    Raises:
        InputError: there is no such file, it is too large, damaged or cut short, a part of it lies in another file, or
            it needs operations that are not ONNX's own or of a later version than is known here.
    """
    check_installed("onnx")
    import onnx

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        content = read_bounded(path, MAX_BYTES, "an ONNX model")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    with as_input_error(f"{path}: not an ONNX model", "get it again from its makers"):
        # Not onnx.load, which also reads the files that a model names.
        model = onnx.ModelProto.FromString(content)
        if not model.graph.node:
            raise ValueError("it has no graph" if content else "it is empty")
        opset = _opset(path, model, onnx.defs.onnx_opset_version())
        tensors, nodes = list(_all(model, "TensorProto")), list(_all(model, "NodeProto"))
        _check_tensors(path, tensors)
        _check_operations(path, nodes)
        onnx.checker.check_model(content)
        graph = model.graph
        constants = {tensor.name for tensor in graph.initializer}
        return ONNXFile(
            content,
            graph.name,
            {value.name: _described(value) for value in graph.input if value.name not in constants},
            {value.name: _described(value) for value in graph.output},
            dict(Counter(node.op_type for node in nodes).most_common()),
            sum(tensor.ByteSize() for tensor in tensors),
            _weights(tensors),
            opset,
            {entry.key: entry.value.encode() for entry in model.metadata_props},
        )


def _opset(path: Path, model: Any, newest: int) -> int:
    opset = max((entry.version for entry in model.opset_import if entry.domain in _OWN_DOMAINS), default=0)
    if not opset:
        raise ValueError("it names no opset")
    if opset > newest:
        raise InputError(f"{path}: its opset {opset} is newer than {newest}, the last known here: upgrade onnx")
    return opset


def _all(message: Any, kind: str) -> Iterator[Any]:
    """Yields the messages of a kind in a message, at any depth: the graphs of branches, loops and functions, too."""
    if message.DESCRIPTOR.name == kind:
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "DESCRIPTOR") else value:
                yield from _all(part, kind)


def _check_tensors(path: Path, tensors: list[Any]) -> None:
    for tensor in tensors:
        if tensor.data_location or tensor.external_data:
            named = next((entry.value for entry in tensor.external_data if entry.key == "location"), "another file")
            raise InputError(f"{path}: its weights {tensor.name!r} are in {named!r}: save the model as one file")
        if any(side < 0 for side in tensor.dims) or math.prod(tensor.dims) > MAX_NUMBERS:
            raise ValueError(f"damaged: tensor {tensor.name!r} has the shape {list(tensor.dims)[:8]}")


def _check_operations(path: Path, nodes: list[Any]) -> None:
    if foreign := sorted({f"{node.domain}.{node.op_type}" for node in nodes if node.domain not in _OWN_DOMAINS}):
        named = ", ".join(map(repr, foreign))
        raise InputError(f"{path}: needs custom operations: {named}; export it with ONNX's own only")


def _described(value: Any) -> tuple[tuple[int | None, ...], str]:
    tensor = value.type.tensor_type
    sides = tuple(side.dim_value if side.HasField("dim_value") else None for side in tensor.shape.dim)
    return sides, _type_name(tensor.elem_type)


def _type_name(elem_type: int) -> str:
    from onnx.helper import tensor_dtype_to_np_dtype

    return tensor_dtype_to_np_dtype(elem_type).name


def _weights(tensors: list[Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for tensor in tensors:
        name = _type_name(tensor.data_type)
        found[name] = max(found.get(name, 0), tensor.ByteSize())
    return found
