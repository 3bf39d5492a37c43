"""Cuts a stylizer made elsewhere at its bottleneck: into a style predictor and a style transformer."""

import functools
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.bottleneck import interpolate
from toolkit.errors import InputError, StyleportError, reason, told_in_one_line
from toolkit.inputs import as_pictures, check_bottleneck
from toolkit.picture_format import Formats
from toolkit.whole import LoadedStylizer, SingleStyleStylizer, WholeStylizer, cut, cut_picture, pixels

# What the bottleneck is called in the graphs of published modules, as the names of their tensors end. All are a 1x1
# convolution behind the mean over the picture, with 100 outputs:
# - `Conv` in style_prediction() of arbitrary_image_stylization_build_model.py, the network of the Hub module
#   arbitrary-image-stylization-v1-256 (export_hub.py);
# - `mobilenet_conv/Conv` of arbitrary_image_stylization_build_mobilenet_model.py, the network of its TFLite files.
# - `style_bottleneck` of the predictor, in a SavedModel that was exported here.
# Magenta's scripts are in github.com/magenta/magenta, folder magenta/models/arbitrary_image_stylization.
KNOWN_BOTTLENECKS = ("mobilenet_conv/Conv/BiasAdd", "Conv/BiasAdd", "predictor_1/style_bottleneck_1/BiasAdd")
MAX_CANDIDATES = 8


@dataclass(frozen=True)
class FrozenGraph:
    """A stylizer's graph, its variables made constants.

    Attributes:
        definition: the GraphDef.
        inputs: names of the placeholders by role: `content` and, unless its style is inside, `style`.
        output: name of the picture's operation.
        output_index: which of that operation's outputs.
        formats: the forms of its pictures, by `content`, `style` and `output`.
    """

    definition: Any
    inputs: Mapping[str, str]
    output: str
    output_index: int
    formats: Formats

    def function(self, feeds: Sequence[str], fetch: str, is_raw: bool = False) -> Any:
        """Returns the part of the graph between some tensors and another, as a function of those tensors.

        Args:
            feeds: the tensors' names; where one is of pictures, the function takes them in our form, and where one is
                of numbers, as float32.
            fetch: the other tensor's name; likewise.
            is_raw: pictures and numbers are taken and given as the graph has them.
        """
        nodes = [_node_of(name) for name in feeds]
        definition = self._between(set(nodes), _node_of(fetch))
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
            is_picture = _node_of(fetch) == self.output
            return self.formats["output"].to_unit(found) if is_picture else tf.cast(found, tf.float32)

        with told_in_one_line("the model's graph could not be made a function"):
            if is_raw:
                ends = [self._outputs[node] for node in nodes]
                return tf.compat.v1.wrap_function(raw, [tf.TensorSpec(end.shape, end.dtype) for end in ends])
            return tf.compat.v1.wrap_function(call, [tf.TensorSpec(self._outer_shape(node)) for node in nodes])

    def _outer_shape(self, node: str) -> Any:
        """The shape of what is fed in the place of a node's output."""
        shape = self._outputs[node].shape
        is_moved = any(self.formats[role].is_channels_first for role, name in self.inputs.items() if name == node)
        return [shape[0], *shape[2:], shape[1]] if is_moved else shape

    def _between(self, feeds: set[str], fetch: str) -> Any:
        nodes = {node.name: node for node in self.definition.node}
        edges = {
            name: set() if name in feeds else {_node_of(edge) for edge in node.input} for name, node in nodes.items()
        }
        needed = _reach(fetch, edges) - feeds
        part = type(self.definition)(library=self.definition.library, versions=self.definition.versions)
        part.node.extend(node for name, node in nodes.items() if name in needed)
        return part

    @functools.cached_property
    def _outputs(self) -> dict[str, Any]:
        """Each operation's first output, by the operation's name."""
        imported = tf.Graph()
        with imported.as_default(), told_in_one_line("the model's graph could not be read"):
            tf.compat.v1.import_graph_def(self.definition, name="")
        return {operation.name: operation.outputs[0] for operation in imported.get_operations() if operation.outputs}

    @functools.cached_property
    def shapes(self) -> dict[str, Any]:
        """The shape of each operation's first output, by the operation's name."""
        return {name: output.shape for name, output in self._outputs.items()}

    def call(self, is_raw: bool = False) -> Any:
        """Returns the whole graph as a function of a content and, unless its style is inside, a style."""
        feeds = [f"{name}:0" for name in self.inputs.values()]
        return self.function(feeds, f"{self.output}:{self.output_index}", is_raw)


def freeze(whole: LoadedStylizer) -> FrozenGraph:
    """Makes one graph of constants of a stylizer.

    Args:
        whole: the stylizer.

    Returns:
        Its graph, every function called in it put in the place of the call.

    Raises:
        InputError: it has something that is no constant even then, such as a table, or its picture does not depend on
            one of its inputs.
    """
    if whole.graph is None:
        whole.graph = _frozen(whole)
    return whole.graph


def _frozen(whole: LoadedStylizer) -> FrozenGraph:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with told_in_one_line("the model could not be traced as one graph"):
        traced = whole.trace()
    try:
        frozen = convert_variables_to_constants_v2(traced.concrete, lower_control_flow=False)
    except Exception as error:  # TensorFlow's rewriting of a graph from elsewhere may raise anything
        raise InputError(f"the model's variables cannot be made constants: {reason(error)}") from error
    inputs = {role: frozen.inputs[index].op.name for role, index in zip(whole.shapes, traced.inputs, strict=True)}
    output = frozen.outputs[traced.output]
    definition = frozen.graph.as_graph_def()
    _remove_control_edges(definition)
    edges = {node.name: {_node_of(edge) for edge in node.input} for node in definition.node}
    needed = _reach(output.op.name, edges)
    if unread := [role for role, name in inputs.items() if name not in needed]:
        raise InputError(
            f"the picture does not depend on the {unread[0]}: save a model that paints a content in the style of a "
            "style picture, or one that takes a content alone"
        )
    return FrozenGraph(definition, inputs, output.op.name, output.value_index, whole.formats)


def _remove_control_edges(definition: Any) -> None:
    """Removes what only orders operations: among constants nothing needs an order, and it ties content to style."""
    # But in TF1's control flow a branch's constants are tied to the branch by such an edge.
    if any(node.op in ("Switch", "Merge") for node in definition.node):
        return
    for node in definition.node:
        node.input[:] = [edge for edge in node.input if not edge.startswith("^")]


def _node_of(edge: str) -> str:
    return edge.removeprefix("^").partition(":")[0]


def _reach(start: str, edges: dict[str, set[str]], without: str | None = None) -> set[str]:
    """Follows edges from a node to all that it leads to, itself among them, other than through a given node."""
    seen, waiting = {start} - {without}, deque([start] if start != without else [])
    while waiting:
        for name in edges[waiting.popleft()] - seen - {without}:
            seen.add(name)
            waiting.append(name)
    return seen


class _Paths:
    """Who depends on whom in a graph."""

    def __init__(self, graph: FrozenGraph) -> None:
        self._graph = graph
        self._sources = {node.name: {_node_of(edge) for edge in node.input} for node in graph.definition.node}
        self._targets: dict[str, set[str]] = {name: set() for name in self._sources}
        for name, sources in self._sources.items():
            for source in sources:
                self._targets[source].add(name)

    def depend_on(self, start: str, without: str | None = None) -> set[str]:
        """Returns every node that start leads to, other than through a given node."""
        return _reach(start, self._targets, without)

    def needed_by(self, end: str) -> set[str]:
        """Returns every node that leads to end."""
        return _reach(end, self._sources)

    def separates(self, name: str) -> str | None:
        """Returns why a node does not cut the graph in two; None where it does."""
        needed, (content, style), output = self.needed_by(name), self._graph.inputs.values(), self._graph.output
        if content in needed:
            return "it depends on the content"
        if style not in needed:
            return "it does not depend on the style"
        if output in self.depend_on(style, without=name):
            return "the picture depends on the style past it"
        if output not in self.depend_on(name):
            return "the picture does not depend on it"
        return None


def _is_vector(shape: Any) -> bool:
    """Whether a tensor is a bottleneck by its shape: [B, 1, 1, D] or [B, D]."""
    if shape.rank == 2:
        return shape[1] is not None
    return shape.rank == 4 and tuple(shape[1:3]) == (1, 1) and shape[3] is not None


def candidates(graph: FrozenGraph) -> list[str]:
    """Finds the tensors at which a graph can be cut, the shortest vector first.

    Args:
        graph: a stylizer's.

    Returns:
        Their operations' names; of equally long ones the last in the graph comes first.
    """
    paths, shapes = _Paths(graph), graph.shapes
    on_the_way = paths.depend_on(graph.inputs["style"]) & paths.needed_by(graph.output)
    order = {node.name: index for index, node in enumerate(graph.definition.node)}
    found = [
        name for name in on_the_way if name in shapes and _is_vector(shapes[name]) and paths.separates(name) is None
    ]
    return sorted(found, key=lambda name: (shapes[name][-1], -order[name]))


def known_bottleneck(graph: FrozenGraph) -> str | None:
    """Finds the tensor at which a published module's graph is known to be cut.

    Args:
        graph: a stylizer's.

    Returns:
        Its operation's name; None where the graph is another one.
    """
    found = candidates(graph)
    for known in KNOWN_BOTTLENECKS:
        matching = [name for name in found if _ends_in(name, known)]
        if len(matching) == 1:
            return matching[0]
    return None


def _ends_in(name: str, end: str) -> bool:
    return name == end or name.endswith(f"/{end}")


def _located(graph: FrozenGraph, tensor: str) -> str:
    """Finds a tensor by its name or the end of it, and makes sure that it cuts the graph in two."""
    wanted, paths = tensor.removesuffix(":0"), _Paths(graph)
    names = [node.name for node in graph.definition.node]
    matching = [wanted] if wanted in names else [name for name in names if _ends_in(name, wanted)]
    reasons = {name: paths.separates(name) for name in matching}
    separating = [name for name, reason in reasons.items() if reason is None]
    shapes = graph.shapes
    vectors = [name for name in separating if _is_vector(shapes[name])]
    if len(vectors) == 1:
        return vectors[0]
    if not matching:
        why = "the graph has no such tensor"
    elif vectors:
        why = f"{', '.join(vectors)} all end in that; give the whole name"
    elif separating:
        why = f"its shape is {shapes[separating[0]]}, neither [B, 1, 1, D] nor [B, D]"
    else:
        why = f"it does not separate content and style: {reasons[matching[0]]}"
    listed = ", ".join(candidates(graph)[:MAX_CANDIDATES]) or "none"
    raise InputError(f"--split-at {tensor!r}: {why}; tensors that separate them: {listed}")


class SplitStylizer:
    """A stylizer made elsewhere, cut in two; called as `toolkit.stylizer.Stylizer` is.

    Threads may share one; their calls run at the same time.

    Args:
        whole: the stylizer as it was loaded.
        graph: its graph.
        tensor: name of the bottleneck, or the end of it.

    Attributes:
        whole: the stylizer as it was loaded.
        graph: its graph.
        tensor: the bottleneck's whole name.
        bottleneck_dim: its length.
        predictor: style tensor [B, h, w, 3] -> bottleneck [B, 1, 1, D].
        variables: none: the graph's are constants.

    Raises:
        InputError: the tensor does not separate content and style; lists those that do.
    """

    def __init__(self, whole: WholeStylizer, graph: FrozenGraph, tensor: str) -> None:
        if not whole.takes_any_size:
            raise InputError(
                f"--split-at {tensor!r}: what takes pictures of one size, or batches of one length, stays in one piece"
            )
        self.whole, self.graph, self.tensor = whole, graph, _located(graph, tensor)
        shapes = graph.shapes
        shape = shapes[self.tensor]
        self.bottleneck_dim: int = shape[-1]
        self.variables: list[Any] = []
        self._inner_shape = (-1, *shape[1:])
        content, style, inner = (f"{name}:0" for name in (*graph.inputs.values(), self.tensor))
        self._predict = graph.function([style], inner)
        self._transform = graph.function([content, inner], f"{graph.output}:{graph.output_index}")

    def predictor(self, style: Any) -> Any:
        """Returns the bottleneck [B, 1, 1, D] of a style tensor [B, h, w, 3], in a graph, too."""
        return tf.reshape(self._predict(tf.convert_to_tensor(style)), (-1, 1, 1, self.bottleneck_dim))

    def transformer(self, inputs: list[Any]) -> Any:
        """Returns the picture [B, H, W, 3] of a content tensor and a bottleneck [B or 1, 1, 1, D], in a graph, too."""
        content, bottleneck = (tf.convert_to_tensor(one) for one in inputs)
        return cut(self._transform(content, tf.reshape(bottleneck, self._inner_shape)), content)

    def bottleneck(self, style: Any) -> np.ndarray:
        """Reads the style of pictures.

        Args:
            style: [B, h, w, 3] float32 in [0, 1], sides from 16 pixels.

        Returns:
            [B, 1, 1, D] float32.

        Raises:
            InputError: the shape is another one.
        """
        with told_in_one_line("the model could not read the style"):
            return np.concatenate([np.asarray(self.predictor(one[None])) for one in as_pictures(style, "style")])

    def transform(self, content: Any, bottleneck: Any) -> np.ndarray:
        """Repaints pictures in the style of a bottleneck.

        Args:
            content: [B, H, W, 3] float32 in [0, 1], sides from 16 pixels.
            bottleneck: [B or 1, 1, 1, D] float32.

        Returns:
            [B, H, W, 3] float32.

        Raises:
            InputError: a shape is another one.
        """
        content = as_pictures(content, "content")
        check_bottleneck(bottleneck, self.bottleneck_dim, len(content))
        styles = np.broadcast_to(bottleneck, (len(content), 1, 1, self.bottleneck_dim))
        return np.stack([self._paint(picture, one) for picture, one in zip(content, styles, strict=True)])

    def _paint(self, content: np.ndarray, bottleneck: np.ndarray) -> np.ndarray:
        inner = tf.reshape(tf.constant(bottleneck[None]), self._inner_shape)
        with told_in_one_line(f"the model could not be run on a content of {pixels(content)}"):
            painted = np.asarray(self._transform(tf.constant(content[None]), inner))
        return cut_picture(painted, content)

    def __call__(self, content: Any, style: Any, strength: float | None = None) -> np.ndarray:
        """Repaints pictures in the style of other pictures; see `toolkit.stylizer.Stylizer`."""
        content, bottleneck = as_pictures(content, "content"), self.bottleneck(style)
        if strength is not None:
            bottleneck = interpolate(self.bottleneck(content), bottleneck, strength)
        return self.transform(content, bottleneck)


def split(
    whole: WholeStylizer | SingleStyleStylizer, tensor: str | None
) -> "WholeStylizer | SingleStyleStylizer | SplitStylizer":
    """Cuts a stylizer at a tensor, or where a published module's graph is known to be cut.

    Args:
        whole: the stylizer.
        tensor: name of the bottleneck, or the end of it; None for the known one.

    Returns:
        The stylizer cut in two; as it was, where no tensor is given and none is known.

    Raises:
        InputError: the tensor does not separate content and style; lists those that do.
    """
    if not isinstance(whole, WholeStylizer):
        if tensor is not None:
            raise InputError(f"--split-at {tensor!r}: the model takes a content alone: it reads no style to cut off")
        return whole
    if tensor is None and not whole.takes_any_size:
        return whole
    try:
        graph = freeze(whole)
        tensor = tensor or known_bottleneck(graph)
    except StyleportError:
        if tensor is None:  # it may still paint as it is
            return whole
        raise
    return whole if tensor is None else SplitStylizer(whole, graph, tensor)
