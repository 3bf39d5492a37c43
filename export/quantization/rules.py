"""Derives quantization rules for external networks from their graphs, because their layer names are arbitrary.

The rules generalize findings on Magenta's networks: an error early in the content's path is amplified by every later
layer, and a scale or a shift from the style applies to the whole picture. Such layers keep int8 weights and compute in
float.
"""

import re
from dataclasses import dataclass
from typing import Any

from export.quantization.post_training import recipe

# Operations whose weights the quantizer supports in every mode: TFLite's name, and the quantizer's. All others, and
# those with computed weights, stay unchanged.
WEIGHTED = {
    "CONV_2D": "CONV_2D",
    "DEPTHWISE_CONV_2D": "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV": "CONV_2D_TRANSPOSE",
    "FULLY_CONNECTED": "FULLY_CONNECTED",
    "BATCH_MATMUL": "BATCH_MATMUL",
    "EMBEDDING_LOOKUP": "EMBEDDING_LOOKUP",
}
# The share of the content's layers, from the start, that compute in float.
FLOAT_SHARE = 0.5


@dataclass(frozen=True)
class Layer:
    """An operation with weights.

    Attributes:
        operation: the quantizer's name of the operation.
        scope: the quantizer's key of the layer.
        from_content: the content picture passes through it.
        is_vector: its output has one value per channel for the whole picture.
        is_linear: it has no activation function.
    """

    operation: str
    scope: str
    from_content: bool
    is_vector: bool
    is_linear: bool


def layers(model: bytes, content: str | None) -> list[Layer]:
    """Reads the operations with weights of a .tflite file, in execution order.

    `content` is the signature's input for content pictures; None where it takes none.
    """
    from ai_edge_litert import schema_py_generated as schema

    names = {code: WEIGHTED[name] for name, code in vars(schema.BuiltinOperator).items() if name in WEIGHTED}
    parsed: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    graph = parsed.subgraphs[0]
    reached = {tensor.tensorIndex for tensor in parsed.signatureDefs[0].inputs if _text(tensor.name) == content}
    found = []
    for operation in graph.operators:
        from_content = not reached.isdisjoint(operation.inputs)
        if from_content:
            reached.update(operation.outputs)
        code = parsed.operatorCodes[operation.opcodeIndex]
        name = names.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if name is not None and any(_is_stored(parsed, graph, index) for index in operation.inputs[:2]):
            outputs = [graph.tensors[index] for index in operation.outputs]
            scope = "".join(f"{_text(tensor.name)};" for tensor in outputs)
            shape = list(outputs[0].shapeSignature if outputs[0].shapeSignature is not None else outputs[0].shape)
            activation = getattr(operation.builtinOptions, "fusedActivationFunction", 0)
            found.append(Layer(name, scope, from_content, set(shape[1:-1]) <= {1}, activation == 0))
    return found


def _is_stored(model: Any, graph: Any, index: int) -> bool:
    """Whether a tensor is a float array in the file, not computed."""
    from ai_edge_litert import schema_py_generated as schema

    tensor = graph.tensors[index]
    buffer = model.buffers[tensor.buffer]
    # Large buffers are after the graph, which has only their offset and size.
    return tensor.type == schema.TensorType.FLOAT32 and (buffer.data is not None or buffer.size > 0)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


def rules(model: bytes, mode: str, content: str | None) -> list[dict[str, Any]]:
    """Derives the LiteRT quantizer's rules for a float32 network; see `layers` for `content`."""
    if mode == "float32":
        return []
    generic = recipe(mode)["generic"]
    if mode == "float16":
        return generic["all"]
    found = layers(model, content)
    on_the_way = [layer for layer in found if layer.from_content]
    early = on_the_way[: round(FLOAT_SHARE * len(on_the_way))]
    chosen = []
    for layer in found:
        in_float = layer in early or layer.is_vector or (layer.is_linear and not layer.from_content)
        rule = generic["float" if in_float or layer.operation not in generic["operations"] else "integer"]
        chosen.append({"regex": f"^{re.escape(layer.scope)}$", "operation": layer.operation, **rule})
    return chosen
