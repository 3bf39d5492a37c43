"""Detects the value range of a graph's inputs from its first operations."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from toolkit.external.frozen_graph import FrozenGraph
from toolkit.external.value_range import EIGHT_BIT, SIGNED, Bounds
from toolkit.safe_loading.graph_edges import node_of

# Operations that do not change samples.
_PASSING = ("Identity", "Cast", "Transpose", "EnsureShape", "ReverseV2", "StridedSlice", "Pad", "PadV2", "MirrorPad")
_ASKING = ("Shape", "ShapeN", "Rank", "Size")
# An affine function: factor and summand.
_Affine = tuple[float, float]
_MAX_STEPS = 16


def wanted_range(graph: FrozenGraph, role: str) -> Bounds | None:
    """Returns the only range that fits a graph's first operations on `content` or `style`, else None."""
    found = set(_Reader(graph).ranges(graph.inputs[role], (1.0, 0.0), _MAX_STEPS))
    return found.pop() if len(found) == 1 else None


def _range_of(affine: _Affine) -> Bounds | None:
    scale, shift = affine
    # Scales to [0, 1] or [-1, 1], or by ImageNet's deviations; or subtracts the mean of 8-bit samples.
    if 1 / 300 <= scale <= 1 / 50 or (scale == 1 and -160 <= shift <= -90):
        return EIGHT_BIT
    # (x + 1) / 2, or (x + 1) * 127.5.
    if shift > 0 and abs(scale / shift - 1) < 0.02:
        return SIGNED
    return None


class _Reader:
    def __init__(self, graph: FrozenGraph) -> None:
        self._nodes = {node.name: node for node in graph.definition.node}
        self._targets: dict[str, list[Any]] = {name: [] for name in self._nodes}
        for node in graph.definition.node:
            for name in {node_of(edge) for edge in node.input}:
                self._targets[name].append(node)

    def ranges(self, name: str, affine: _Affine, steps: int) -> Iterator[Bounds | None]:
        """Yields the range that each path from a node expects, from the affine operations at its start."""
        for node in self._targets[name]:
            if node.op in _ASKING:
                continue
            after = self._after(node, name, affine)
            found = None if after is None else _range_of(after)
            if after is None or found is not None or not steps:
                yield found
            else:
                yield from self.ranges(node.name, after, steps - 1)

    def _after(self, node: Any, name: str, affine: _Affine) -> _Affine | None:
        if node.op in _PASSING:
            return affine
        edges = [node_of(edge) for edge in node.input]
        if node.op not in ("Mul", "RealDiv", "Add", "AddV2", "BiasAdd", "Sub") or edges.count(name) != 1:
            return None
        other = self._constant(edges[1 - edges.index(name)])
        is_first, (scale, shift) = edges[0] == name, affine
        if other is None or not (is_first or node.op in ("Mul", "Add", "AddV2")):
            return None
        if node.op in ("Mul", "RealDiv"):
            factor = other if node.op == "Mul" else 1 / other if other else 0
            return scale * factor, shift * factor
        return scale, shift + (-other if node.op == "Sub" else other)

    def _constant(self, name: str) -> float | None:
        """The mean of a constant, which may have a value for each channel."""
        node = self._nodes[name]
        while node.op in ("Identity", "Cast") and node.input:
            node = self._nodes[node_of(node.input[0])]
        return float(tf.make_ndarray(node.attr["value"].tensor).mean()) if node.op == "Const" else None
