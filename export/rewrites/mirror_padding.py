"""Rewrites the mirrored borders of a graph as slices, which TFLite supports for unknown picture sizes.

TFLite refuses MIRROR_PAD before the picture's size is known, because a side of one pixel cannot be mirrored; and its
kernel copies one value at a time. Slices of the same rows and columns have neither problem.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.external.frozen_graph import FrozenGraph
from toolkit.safe_loading.graph_edges import node_of


def reflect(x: Any, paddings: np.ndarray) -> Any:
    """Mirrors the borders of a tensor by `paddings` [rank, 2], as `tf.pad` does with "REFLECT"."""
    for axis, (before, after) in enumerate(paddings.tolist()):
        if not before and not after:
            continue
        size = tf.shape(x)[axis] if x.shape[axis] is None else x.shape[axis]
        starts = list(range(before, 0, -1)), [size - 2 - index for index in range(after)]
        mirrored, opposite = ([_one(x, axis, start) for start in side] for side in starts)
        x = tf.concat([*mirrored, x, *opposite], axis)
    return x


def _one(x: Any, axis: int, start: Any) -> Any:
    index = [slice(None)] * axis + [slice(start, start + 1)]
    return x[tuple(index)]


def sliced(graph: FrozenGraph) -> FrozenGraph:
    """Rewrites every mirrored border of known width in a graph."""
    nodes = {node.name: node for node in graph.definition.node}
    shapes = graph.shapes
    definition = type(graph.definition)(library=graph.definition.library, versions=graph.definition.versions)
    for node in graph.definition.node:
        paddings = _paddings(node, nodes)
        source = node.input[0] if node.input else ""
        if paddings is None or shapes.get(node_of(source)) is None:
            definition.node.append(node)
        else:
            definition.node.extend(_replacement(node, paddings, shapes[node_of(source)]))
    return dataclasses.replace(graph, definition=definition)


def _paddings(node: Any, nodes: dict[str, Any]) -> np.ndarray | None:
    if node.op != "MirrorPad" or node.attr["mode"].s != b"REFLECT":
        return None
    source = nodes[node_of(node.input[1])]
    while source.op == "Identity":
        source = nodes[node_of(source.input[0])]
    return tf.make_ndarray(source.attr["value"].tensor) if source.op == "Const" else None


def _replacement(node: Any, paddings: np.ndarray, shape: Any) -> list[Any]:
    """The nodes of `reflect`, the last with the replaced node's name."""
    graph = tf.Graph()
    with graph.as_default(), tf.name_scope(f"{node.name}/"):
        given = tf.compat.v1.placeholder(tf.as_dtype(node.attr["T"].type), shape, "mirrored")
        last = tf.identity(reflect(given, paddings), "last")
    found = []
    for made in graph.as_graph_def().node:
        if made.name == given.op.name:
            continue
        made.input[:] = [node.input[0] if edge == given.op.name else edge for edge in made.input]
        if made.name == last.op.name:
            made.name = node.name
        found.append(made)
    return found
