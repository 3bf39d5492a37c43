"""An external stylizer as one frozen graph, usable as functions in whole or in part."""

import functools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from toolkit.errors import InputError, in_one_line, reason
from toolkit.external.end_to_end import LoadedStylizer
from toolkit.external.picture_format import Formats
from toolkit.safe_loading.graph_edges import node_of


@dataclass(frozen=True)
class FrozenGraph:
    """A stylizer's graph with its variables as constants.

    Attributes:
        definition: the GraphDef.
        inputs: names of the placeholders by role: `content` and, unless the style is built in, `style`.
        output: name of the operation that outputs the picture.
        output_index: index among that operation's outputs.
        formats: picture formats, by `content`, `style` and `output`.
    """

    definition: Any
    inputs: Mapping[str, str]
    output: str
    output_index: int
    formats: Formats

    def function(self, feeds: Sequence[str], fetch: str, is_raw: bool = False) -> Any:
        """Returns the part of the graph between some tensors and another, as a function of those tensors.

        Args:
            feeds: the input tensors' names. The function takes pictures in the toolkit's format and numbers as float32.
            fetch: the output tensor's name; converted in the same way.
            is_raw: skip these conversions.
        """
        nodes = [node_of(name) for name in feeds]
        definition = self._between(set(nodes), node_of(fetch))
        forms = {name: self.formats[role] for role, name in self.inputs.items()}

        def raw(*tensors: Any) -> Any:
            given = dict(zip(feeds, tensors, strict=True))
            return tf.compat.v1.import_graph_def(definition, given, return_elements=[fetch], name="")[0]

        def call(*tensors: Any) -> Any:
            given = [
                forms[node].from_unit(tensor) if node in forms else tf.cast(tensor, self._outputs[node].dtype)
                for node, tensor in zip(nodes, tensors, strict=True)
            ]
            found = raw(*given)
            is_picture = node_of(fetch) == self.output
            return self.formats["output"].to_unit(found) if is_picture else tf.cast(found, tf.float32)

        with in_one_line("the model's graph could not be converted to a function"):
            if is_raw:
                ends = [self._outputs[node] for node in nodes]
                return tf.compat.v1.wrap_function(raw, [tf.TensorSpec(end.shape, end.dtype) for end in ends])
            return tf.compat.v1.wrap_function(call, [tf.TensorSpec(self._outer_shape(node)) for node in nodes])

    def _outer_shape(self, node: str) -> Any:
        """The shape of the tensor that replaces a node's output."""
        shape = self._outputs[node].shape
        is_moved = any(self.formats[role].is_channels_first for role, name in self.inputs.items() if name == node)
        return [shape[0], *shape[2:], shape[1]] if is_moved else shape

    def _between(self, feeds: set[str], fetch: str) -> Any:
        nodes = {node.name: node for node in self.definition.node}
        edges = {
            name: set() if name in feeds else {node_of(edge) for edge in node.input} for name, node in nodes.items()
        }
        needed = reach(fetch, edges) - feeds
        part = type(self.definition)(library=self.definition.library, versions=self.definition.versions)
        part.node.extend(node for name, node in nodes.items() if name in needed)
        return part

    @functools.cached_property
    def _outputs(self) -> dict[str, Any]:
        """Each operation's first output, by the operation's name."""
        imported = tf.Graph()
        with imported.as_default(), in_one_line("the model's graph could not be read"):
            tf.compat.v1.import_graph_def(self.definition, name="")
        return {operation.name: operation.outputs[0] for operation in imported.get_operations() if operation.outputs}

    @functools.cached_property
    def shapes(self) -> dict[str, Any]:
        """The shape of each operation's first output, by the operation's name."""
        return {name: output.shape for name, output in self._outputs.items()}

    def call(self, is_raw: bool = False) -> Any:
        """Returns the whole graph as a function of a content and, unless the style is built in, a style."""
        feeds = [f"{name}:0" for name in self.inputs.values()]
        return self.function(feeds, f"{self.output}:{self.output_index}", is_raw)


def freeze(loaded: LoadedStylizer) -> FrozenGraph:
    """Converts a stylizer to one graph of constants, with all calls inlined; refuses tables, and an unread input."""
    if loaded.graph is None:
        loaded.graph = _frozen(loaded)
    return loaded.graph


def _frozen(loaded: LoadedStylizer) -> FrozenGraph:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with in_one_line("the model could not be traced as one graph"):
        traced = loaded.trace()
    try:
        frozen = convert_variables_to_constants_v2(traced.concrete, lower_control_flow=False)
    except Exception as error:  # TensorFlow may raise anything on an external graph
        raise InputError(f"the model's variables cannot be converted to constants: {reason(error)}") from error
    inputs = {role: frozen.inputs[index].op.name for role, index in zip(loaded.shapes, traced.inputs, strict=True)}
    output = frozen.outputs[traced.output]
    definition = frozen.graph.as_graph_def()
    _remove_control_edges(definition)
    edges = {node.name: {node_of(edge) for edge in node.input} for node in definition.node}
    needed = reach(output.op.name, edges)
    if unread := [role for role, name in inputs.items() if name not in needed]:
        raise InputError(
            f"the picture does not depend on the {unread[0]}: save a model that paints a content in the style of a "
            "style picture, or a model that takes only a content"
        )
    return FrozenGraph(definition, inputs, output.op.name, output.value_index, loaded.formats)


def _remove_control_edges(definition: Any) -> None:
    """Removes control edges: constants need no order, and the edges tie content to style."""
    # But TF1's control flow ties a branch's constants to the branch by such an edge.
    if any(node.op in ("Switch", "Merge") for node in definition.node):
        return
    for node in definition.node:
        node.input[:] = [edge for edge in node.input if not edge.startswith("^")]


def reach(start: str, edges: dict[str, set[str]], without: str | None = None) -> set[str]:
    """Returns a node and all nodes that its edges lead to, without passing through the node `without`."""
    seen, waiting = {start} - {without}, deque([start] if start != without else [])
    while waiting:
        for name in edges[waiting.popleft()] - seen - {without}:
            seen.add(name)
            waiting.append(name)
    return seen
