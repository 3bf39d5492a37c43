"""Converts graphs of half or double precision to float32, in which everything is exported and compared."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.external.end_to_end import LoadedStylizer
from toolkit.external.frozen_graph import FrozenGraph, freeze

_HALF = {tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum}
_DOUBLE = tf.float64.as_datatype_enum
_FLOAT = tf.float32.as_datatype_enum


def compute_in_float32(stylizer: LoadedStylizer) -> None:
    """Converts a stylizer with a half-precision graph, or with double-precision pictures, to float32.

    Half precision overflows and rounds in the sums over a picture; TFLite's operations support neither.
    """
    graph = freeze(stylizer)
    # In a model of float32 pictures, double precision is for sizes, which must not be rounded.
    is_double = any(form.dtype == "float64" for form in stylizer.formats.values())
    types = _HALF | ({_DOUBLE} if is_double else set())
    definition = type(graph.definition)()
    definition.CopyFrom(graph.definition)
    functions = definition.library.function
    nodes = [*definition.node, *(node for function in functions for node in function.node_def)]
    # A list: `any` of a generator would stop at the first.
    changed = [_change(node.attr[name], types) for node in nodes for name in list(node.attr)]
    for function in functions:
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            argument.type = _FLOAT if argument.type in types else argument.type
    if not any(changed):
        return
    formats = {
        role: form if form.dtype == "uint8" else dataclasses.replace(form, dtype="float32")
        for role, form in stylizer.formats.items()
    }
    raised = FrozenGraph(definition, graph.inputs, graph.output, graph.output_index, formats)
    stylizer.become(raised, raised.call(is_raw=True), formats)


def _change(attribute: Any, types: set[int]) -> bool:
    """Converts an attribute's types and values to float32; returns whether anything changed."""
    kind = attribute.WhichOneof("value")
    if kind == "type" and attribute.type in types:
        attribute.type = _FLOAT
        return True
    if kind == "list" and types.intersection(attribute.list.type):
        attribute.list.type[:] = [_FLOAT if kind in types else kind for kind in attribute.list.type]
        return True
    if kind == "tensor" and attribute.tensor.dtype in types:
        values = tf.make_ndarray(attribute.tensor).astype(np.float32)
        attribute.tensor.CopyFrom(tf.make_tensor_proto(values, tf.float32, values.shape))
        return True
    return False
