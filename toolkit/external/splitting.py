"""Splits an external stylizer at its bottleneck, into a style predictor and a style transformer."""

from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.errors import InputError, StyleportError, in_one_line
from toolkit.external.end_to_end import EndToEndStylizer, ExternalSingleStyleStylizer, cut, cut_picture, pixels
from toolkit.external.frozen_graph import FrozenGraph, freeze, reach
from toolkit.imaging.validation import as_pictures, check_bottleneck
from toolkit.interface.bottleneck import interpolate
from toolkit.safe_loading.graph_edges import node_of

# Suffixes of the bottleneck's tensor name in published modules. Each is a 1x1 convolution with 100 outputs after the
# mean over the picture: - `Conv` in style_prediction() of arbitrary_image_stylization_build_model.py, the network of
# the Hub module   arbitrary-image-stylization-v1-256 (export_hub.py); - `mobilenet_conv/Conv` of
# arbitrary_image_stylization_build_mobilenet_model.py, the network of its TFLite files; - `style_bottleneck` of the
# predictor in a SavedModel that styleport exported. Magenta's scripts are in github.com/magenta/magenta, folder
# magenta/models/arbitrary_image_stylization.
KNOWN_BOTTLENECKS = ("mobilenet_conv/Conv/BiasAdd", "Conv/BiasAdd", "predictor_1/style_bottleneck_1/BiasAdd")
MAX_CANDIDATES = 8


class _Paths:
    """The dependencies between the nodes of a graph."""

    def __init__(self, graph: FrozenGraph) -> None:
        self._graph = graph
        self._sources = {node.name: {node_of(edge) for edge in node.input} for node in graph.definition.node}
        self._targets: dict[str, set[str]] = {name: set() for name in self._sources}
        for name, sources in self._sources.items():
            for source in sources:
                self._targets[source].add(name)

    def descendants(self, start: str, without: str | None = None) -> set[str]:
        """Returns all nodes that `start` leads to without passing through `without`."""
        return reach(start, self._targets, without)

    def ancestors(self, end: str) -> set[str]:
        """Returns all nodes that lead to `end`."""
        return reach(end, self._sources)

    def separates(self, name: str) -> str | None:
        """Returns why a node does not split the graph; None if it does."""
        needed, (content, style), output = self.ancestors(name), self._graph.inputs.values(), self._graph.output
        if content in needed:
            return "it depends on the content"
        if style not in needed:
            return "it does not depend on the style"
        if output in self.descendants(style, without=name):
            return "the picture also depends on the style in other ways"
        if output not in self.descendants(name):
            return "the picture does not depend on it"
        return None


def _is_vector(shape: Any) -> bool:
    """Whether a tensor has the shape of a bottleneck: [B, 1, 1, D] or [B, D]."""
    if shape.rank == 2:
        return shape[1] is not None
    return shape.rank == 4 and tuple(shape[1:3]) == (1, 1) and shape[3] is not None


def candidates(graph: FrozenGraph) -> list[str]:
    """Returns the operations at which a graph can be split: shortest vectors first, then later operations first."""
    paths, shapes = _Paths(graph), graph.shapes
    on_the_way = paths.descendants(graph.inputs["style"]) & paths.ancestors(graph.output)
    order = {node.name: index for index, node in enumerate(graph.definition.node)}
    found = [
        name for name in on_the_way if name in shapes and _is_vector(shapes[name]) and paths.separates(name) is None
    ]
    return sorted(found, key=lambda name: (shapes[name][-1], -order[name]))


def known_bottleneck(graph: FrozenGraph) -> str | None:
    """Returns the bottleneck of a published module's graph; None for other graphs."""
    found = candidates(graph)
    for known in KNOWN_BOTTLENECKS:
        matching = [name for name in found if _ends_in(name, known)]
        if len(matching) == 1:
            return matching[0]
    return None


def _ends_in(name: str, end: str) -> bool:
    return name == end or name.endswith(f"/{end}")


def _resolve_tensor(graph: FrozenGraph, tensor: str) -> str:
    """Finds a tensor by its name or a suffix, and checks that it splits the graph."""
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
        why = f"{', '.join(vectors)} all end with that; give the full name"
    elif separating:
        why = f"its shape is {shapes[separating[0]]}, neither [B, 1, 1, D] nor [B, D]"
    else:
        why = f"it does not separate content and style: {reasons[matching[0]]}"
    listed = ", ".join(candidates(graph)[:MAX_CANDIDATES]) or "none"
    raise InputError(f"--split-at {tensor!r}: {why}; tensors that separate them: {listed}")


class SplitStylizer:
    """An external stylizer, split in two; called like `toolkit.feed_forward.stylizer.KerasStylizer`.

    Threads may share a stylizer; their calls run concurrently.

    Args:
        end_to_end: the stylizer as it was loaded.
        graph: its graph.
        tensor: the bottleneck's name or a suffix.

    Attributes:
        end_to_end: as given.
        graph: as given.
        tensor: the bottleneck's full name.
        bottleneck_dim: length of the bottleneck.
        predictor: style tensor [B, h, w, 3] -> bottleneck [B, 1, 1, D].
        variables: empty, because the graph is frozen.

    Raises:
        InputError: the tensor does not separate content and style; lists those that do.
    """

    def __init__(self, end_to_end: EndToEndStylizer, graph: FrozenGraph, tensor: str) -> None:
        if not end_to_end.takes_any_size:
            raise InputError(f"--split-at {tensor!r}: a model of fixed picture size or batch length stays end-to-end")
        self.end_to_end, self.graph, self.tensor = end_to_end, graph, _resolve_tensor(graph, tensor)
        shapes = graph.shapes
        shape = shapes[self.tensor]
        self.bottleneck_dim: int = shape[-1]
        self.variables: list[Any] = []
        self._inner_shape = (-1, *shape[1:])
        content, style, inner = (f"{name}:0" for name in (*graph.inputs.values(), self.tensor))
        self._predict = graph.function([style], inner)
        self._transform = graph.function([content, inner], f"{graph.output}:{graph.output_index}")

    def predictor(self, style: Any) -> Any:
        """Returns the bottleneck [B, 1, 1, D] of a style tensor [B, h, w, 3]; also in a graph."""
        return tf.reshape(self._predict(tf.convert_to_tensor(style)), (-1, 1, 1, self.bottleneck_dim))

    def transformer(self, inputs: list[Any]) -> Any:
        """Returns the picture [B, H, W, 3] for a content tensor and a bottleneck [B or 1, 1, 1, D]; also in a graph."""
        content, bottleneck = (tf.convert_to_tensor(tensor) for tensor in inputs)
        return cut(self._transform(content, tf.reshape(bottleneck, self._inner_shape)), content)

    def bottleneck(self, style: Any) -> np.ndarray:
        """Returns the bottlenecks [B, 1, 1, D] of style pictures [B, h, w, 3], sides from 16 pixels."""
        with in_one_line("the model could not read the style"):
            return np.concatenate(
                [np.asarray(self.predictor(picture[None])) for picture in as_pictures(style, "style")]
            )

    def transform(self, content: Any, bottleneck: Any) -> np.ndarray:
        """Returns content pictures [B, H, W, 3] in the style of a bottleneck [B or 1, 1, 1, D]."""
        content = as_pictures(content, "content")
        check_bottleneck(bottleneck, self.bottleneck_dim, len(content))
        styles = np.broadcast_to(bottleneck, (len(content), 1, 1, self.bottleneck_dim))
        return np.stack(
            [self._paint(picture, style_bottleneck) for picture, style_bottleneck in zip(content, styles, strict=True)]
        )

    def _paint(self, content: np.ndarray, bottleneck: np.ndarray) -> np.ndarray:
        inner = tf.reshape(tf.constant(bottleneck[None]), self._inner_shape)
        with in_one_line(f"the model could not be run on a content of {pixels(content)}"):
            painted = np.asarray(self._transform(tf.constant(content[None]), inner))
        return cut_picture(painted, content)

    def __call__(self, content: Any, style: Any, strength: float | None = None) -> np.ndarray:
        """Repaints pictures in the style of other pictures; see `toolkit.feed_forward.stylizer.KerasStylizer`."""
        content, bottleneck = as_pictures(content, "content"), self.bottleneck(style)
        if strength is not None:
            bottleneck = interpolate(self.bottleneck(content), bottleneck, strength)
        return self.transform(content, bottleneck)


def split(
    end_to_end: EndToEndStylizer | ExternalSingleStyleStylizer, tensor: str | None
) -> "EndToEndStylizer | ExternalSingleStyleStylizer | SplitStylizer":
    """Splits a stylizer at a tensor, given by its name or a suffix, or at the known bottleneck of a published module.

    Returns the given stylizer if no tensor is given or known; refuses a tensor that does not separate content and
    style.
    """
    if not isinstance(end_to_end, EndToEndStylizer):
        if tensor is not None:
            raise InputError(f"--split-at {tensor!r}: the model takes only a content, and cannot be split")
        return end_to_end
    if tensor is None and not end_to_end.takes_any_size:
        return end_to_end
    try:
        graph = freeze(end_to_end)
        tensor = tensor or known_bottleneck(graph)
    except StyleportError:
        if tensor is None:  # it can still paint end-to-end
            return end_to_end
        raise
    return end_to_end if tensor is None else SplitStylizer(end_to_end, graph, tensor)
