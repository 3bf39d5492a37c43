"""Converts a TensorFlow function to an ONNX model with the same names, in one piece."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper, numpy_helper

from toolkit.errors import WorkError, in_one_line
from toolkit.runtimes.network_metadata import ENTRY, NetworkMetadata

# The newest that tf2onnx writes.
OPSET = 18
# From this number of values on, a constant is stored in float16: kernels are, and the epsilon of a normalization, which
# would be zero, is not.
_KERNEL_VALUES = 64
_PRODUCER = "styleport"
_AXES = ("batch", "height", "width", "channels")


def _floor_mod(graph: Any, node: Any, *_: Any) -> None:
    """Takes the remainder with the sign of the divisor, as TensorFlow does; tf2onnx rounds integers toward zero."""
    if graph.get_dtype(node.input[0]) in _INTEGERS:
        node.type = "Mod"
        return
    quotient = graph.make_node("Floor", graph.make_node("Div", node.input).output)
    _replace(graph, node, "Sub", [node.input[0], graph.make_node("Mul", [quotient.output[0], node.input[1]]).output[0]])


def _floor_div(graph: Any, node: Any, *_: Any) -> None:
    """Rounds a quotient down: of integers without the remainder, which tf2onnx would round toward zero."""
    if graph.get_dtype(node.input[0]) in _INTEGERS:
        remainder = graph.make_node("Mod", node.input).output[0]
        whole = graph.make_node("Sub", [node.input[0], remainder]).output[0]
        _replace(graph, node, "Div", [whole, node.input[1]])
    else:
        _replace(graph, node, "Floor", graph.make_node("Div", node.input).output)


def _replace(graph: Any, node: Any, operation: str, inputs: Any) -> None:
    shapes, dtypes = node.output_shapes, node.output_dtypes
    graph.remove_node(node.name)
    graph.make_node(operation, inputs, name=node.name, outputs=node.output, shapes=shapes, dtypes=dtypes)


_INTEGERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
_HANDLERS: dict[str, Any] = {"FloorDiv": (_floor_div, []), "FloorMod": (_floor_mod, [])}


def convert(function: Any, signature: str) -> onnx.ModelProto:
    """Converts a function to a float32 ONNX model.

    Args:
        function: a `tf.function` with an input signature; returns tensors by name.
        signature: name of the model's graph.

    Raises:
        WorkError: the function has an operation that ONNX does not have.
    """
    import tf2onnx

    with in_one_line(f"{signature} could not be converted to ONNX"):
        specs = [tf.TensorSpec(spec.shape, spec.dtype, spec.name) for spec in function.input_signature]
        model, _ = tf2onnx.convert.from_function(function, specs, opset=OPSET, custom_op_handlers=_HANDLERS)
    # What it cannot convert stays in the graph as it is.
    if unknown := sorted({node.op_type for node in model.graph.node if not onnx.defs.has(node.op_type)}):
        raise WorkError(
            f"{signature} could not be converted to ONNX, which has no operation for {', '.join(unknown)}; replace "
            "that layer, or leave onnx out of --formats"
        )
    _name(model, signature)
    return model


def _name(model: onnx.ModelProto, signature: str) -> None:
    """Names a model and the sides of its inputs and outputs."""
    graph = model.graph
    graph.name, model.producer_name, model.producer_version = signature, _PRODUCER, ""
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    del graph.value_info[:]
    graph.ClearField("doc_string")
    for value in (*graph.input, *graph.output):
        sides = value.type.tensor_type.shape.dim
        for side, axis in zip(sides, _AXES if len(sides) == len(_AXES) else range(len(sides)), strict=True):
            if not side.HasField("dim_value"):
                side.dim_param = f"{value.name}_{axis}"


def with_float16_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Stores the kernels of a model in float16; it computes in float32 as before.

    A runtime reads them back once, when it opens the file. Sums of squares, as in a normalization, do not fit float16.
    """
    converted = onnx.ModelProto()
    converted.CopyFrom(model)
    graph, casts = converted.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < _KERNEL_VALUES:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}_float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], f"Cast_{name}", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return converted


def with_metadata(model: onnx.ModelProto, metadata: NetworkMetadata) -> bytes:
    """Returns the bytes of a model with metadata: the entry of .tflite files, and its fields for other readers."""
    described = onnx.ModelProto()
    described.CopyFrom(model)
    described.doc_string = metadata.description
    helper.set_model_props(described, dict(_entries(metadata)))
    onnx.checker.check_model(described, full_check=True)
    return described.SerializeToString(deterministic=True)


def _entries(metadata: NetworkMetadata) -> Iterator[tuple[str, str]]:
    yield ENTRY, metadata.to_json().decode()
    yield "source", metadata.name
    yield "license", metadata.license
