"""Reads what a .tflite file is made of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

_OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPES = {code: name for name, code in vars(schema.TensorType).items() if not name.startswith("_")}


@dataclass(frozen=True)
class Tensor:
    """A tensor: its name, the name of its type, how many bytes are stored for it, and where it comes from."""

    index: int
    name: str
    dtype: str
    stored: int


@dataclass(frozen=True)
class Operation:
    """An operation: its name, the name it is known by to a recipe, its inputs and its outputs."""

    name: str
    scope: str
    custom: bytes | None
    inputs: list[Tensor]
    outputs: list[Tensor]


@dataclass(frozen=True)
class Graph:
    """The operations of a file, and its signatures: for each its name, its inputs and its outputs."""

    operations: list[Operation]
    signatures: list[tuple[str, list[str], list[str]]]

    def convolutions(self) -> list[Operation]:
        return [one for one in self.operations if one.name in ("CONV_2D", "DEPTHWISE_CONV_2D")]

    def producer(self, tensor: Tensor) -> Operation | None:
        return next((one for one in self.operations if tensor.index in [out.index for out in one.outputs]), None)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


def read(path: Path) -> Graph:
    """Reads a file of one graph."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    (graph,) = model.subgraphs

    def tensor(index: int) -> Tensor:
        found = graph.tensors[index]
        data = model.buffers[found.buffer].data
        # Large buffers lie behind the graph, and only their place and size are in it.
        stored = model.buffers[found.buffer].size if data is None else len(data)
        return Tensor(index, _text(found.name), _TYPES[found.type], stored)

    def operation(found: Any) -> Operation:
        code = model.operatorCodes[found.opcodeIndex]
        inputs, outputs = ([tensor(i) for i in indices if i >= 0] for indices in (found.inputs, found.outputs))
        name = _OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
        return Operation(name, "".join(f"{one.name};" for one in outputs), code.customCode, inputs, outputs)

    signatures = [
        (_text(one.signatureKey), [_text(m.name) for m in one.inputs], [_text(m.name) for m in one.outputs])
        for one in model.signatureDefs
    ]
    return Graph([operation(one) for one in graph.operators], signatures)
