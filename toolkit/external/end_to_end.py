"""Wraps an external model as an end-to-end stylizer, from content and optional style to picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from toolkit.errors import InputError, in_one_line
from toolkit.external.dynamic_size import free_upsampling
from toolkit.external.picture_format import Formats, read_formats
from toolkit.external.signature_binding import Signature, SignatureBinding, Tensor, find, tensor_of
from toolkit.external.source_options import SourceOptions
from toolkit.external.value_range import Bounds
from toolkit.framework.backend import keras
from toolkit.imaging.letterbox import Size, paint_at, resized
from toolkit.imaging.validation import MIN_SIDE, as_pictures, check_styles
from toolkit.interface.stylizer import SingleStyleStylizer, refuse_strength
from toolkit.sources import hub

# Networks that halve their input return a picture with sides rounded up: by up to 15 after four halvings.
MAX_EXCESS = MIN_SIDE - 1


def cut(picture: Any, content: Any) -> Any:
    """Crops a picture to its content's height and width, from the top left corner; works in a graph."""
    if None not in content.shape[1:3] and picture.shape[1:3] == content.shape[1:3]:
        return picture
    size = tf.shape(content)
    return picture[:, : size[1], : size[2], :]


def _fixed_size(shape: tuple[int | None, ...]) -> Size | None:
    _, height, width, _ = shape
    return None if height is None or width is None else (height, width)


@dataclass(frozen=True)
class Traced:
    """A stylizer as one TensorFlow function, with the indices of its inputs, the content first, and of its output."""

    concrete: Any
    inputs: tuple[int, ...]
    output: int


class LoadedStylizer:
    """A stylizer from an external model, of which only the call is known.

    If the network halves its input and returns a slightly larger picture, the picture is cropped to the content's size.
    For a model of fixed size, pictures are scaled to fit and back. For a model of fixed batch length, each picture
    fills a batch. Pictures may have any form (see `toolkit.imaging.validation`). Threads may share a stylizer; their
    calls run concurrently.

    Args:
        function: maps a content and, unless the style is built in, a style, in the model's own format, to the picture;
            also in a graph.
        signature: the shapes and types of the model.
        binding: the roles of the signature's inputs and outputs.
        trace: returns the same as one TensorFlow function.
        ranges: the samples of black and white, by `content`, `style` and `output`, where they are not the type's
            default.

    Attributes:
        trace: as given.
        binding: as given.
        formats: picture formats, by `content`, `style` and `output`.
        shapes: [None, H, W, 3] of contents and styles by role, None for variable dimensions.
        batches: the fixed batch length by role; None for any.
        content_size: the fixed height and width; None for any.
        graph: a `toolkit.external.frozen_graph.FrozenGraph`, once it was requested.

    Raises:
        InputError: a range does not fit the type.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        signature: Signature,
        binding: SignatureBinding,
        trace: Callable[[], Traced],
        ranges: Mapping[str, Bounds],
    ) -> None:
        self._function, self.trace = function, trace
        self.graph: Any = None
        self.binding = binding
        self.formats: Formats = read_formats(signature, binding, ranges)
        taken = {role: signature.inputs[name].picture_shape for role, name in binding.inputs.items()}
        self.batches = {role: shape[0] for role, shape in taken.items()}
        self.shapes = {role: (None, *shape[1:]) for role, shape in taken.items()}
        self.content_size = _fixed_size(self.shapes["content"])

    @property
    def takes_any_size(self) -> bool:
        """Whether no input has a fixed batch, height or width."""
        return not any((*self.batches.values(), *(side for shape in self.shapes.values() for side in shape[1:3])))

    def of_any_batch(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Adapts the function of the model or of its graph to batches of any length."""
        fixed = next(filter(None, self.batches.values()), None)
        if fixed is None:
            return call
        lengths = [length or fixed for length in self.batches.values()]

        def paint_single(*pictures: Any) -> Any:
            filled = (tf.tile(picture, [length, 1, 1, 1]) for picture, length in zip(pictures, lengths, strict=True))
            return call(*filled)[:1]

        def each(content: Any, *styles: Any) -> Any:
            if content.shape[0] == 1:
                return paint_single(content, *styles)
            count = tf.shape(content)[:1]
            spread = [tf.broadcast_to(style, tf.concat([count, tf.shape(style)[1:]], 0)) for style in styles]
            picture = tf.TensorSpec((None, None, 3))
            return tf.map_fn(
                lambda given: paint_single(*(part[None] for part in given))[0], (content, *spread), picture
            )

        return each

    def take_one_at_a_time(self) -> None:
        """Passes the model one picture at a time from now on, even if it accepts more."""
        self.batches = dict.fromkeys(self.batches, 1)

    def become(self, graph: Any, function: Callable[..., Any], formats: Formats) -> None:
        """Replaces the model by its graph in another precision, with its function and picture formats."""
        self.graph, self._function, self.formats = graph, function, formats

    def painted(self, *pictures: np.ndarray) -> np.ndarray:
        """Paints a batch; the output is neither clipped nor cropped.

        Args:
            pictures: contents [B, H, W, 3] and, unless the style is built in, styles [B, h, w, 3], float32 in [0, 1],
                in sizes that the model takes.

        Returns:
            [B, H', W', 3] float32.
        """
        layout = ", laid out as [B,3,H,W]" if self.formats["content"].is_channels_first else ""
        with in_one_line(f"the model could not be run on a content of {pixels(pictures[0][0])}{layout}"):
            tensors = [tf.constant(picture, tf.float32) for picture in pictures]
            return np.asarray(self.of_any_batch(self._in_our_form)(*tensors))

    def _in_our_form(self, *pictures: Any) -> Any:
        given = zip(self.shapes, pictures, strict=True)
        painted = self._function(*(self.formats[role].from_unit(picture) for role, picture in given))
        return self.formats["output"].to_unit(painted, is_clipped=False)

    def _paint(self, content: np.ndarray, *styles: np.ndarray) -> np.ndarray:
        painted = self.painted(content[None], *(style[None] for style in styles))
        return np.clip(cut_picture(painted, content), 0, 1)


class EndToEndStylizer(LoadedStylizer):
    """A stylizer from an external model that takes a content and a style; see `LoadedStylizer`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.style_size = _fixed_size(self.shapes["style"])

    def __call__(self, content: np.ndarray, style: np.ndarray, strength: float | None = None) -> np.ndarray:
        """Repaints pictures [B, H, W, 3] in the style of others [B or 1, h, w, 3]; the strength is always 1."""
        refuse_strength(strength)
        content, style = as_pictures(content, "content"), as_pictures(style, "style")
        check_styles(len(style), len(content))
        styles = resized(self.style_size, style)
        styles = np.broadcast_to(styles, (len(content), *styles.shape[1:]))
        pairs = zip(content, styles, strict=True)
        return np.stack([paint_at(self.content_size, picture, self._in_style(style)) for picture, style in pairs])

    def _in_style(self, style: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda content: self._paint(content, style)


class ExternalSingleStyleStylizer(LoadedStylizer, SingleStyleStylizer):
    """A stylizer from an external model with a built-in style; see `LoadedStylizer`."""

    def __call__(self, content: np.ndarray) -> np.ndarray:
        """Repaints pictures [B, H, W, 3], sides from 16 pixels, in the built-in style."""
        pictures = as_pictures(content, "content")
        return np.stack([paint_at(self.content_size, picture, self._paint) for picture in pictures])


def pixels(picture: np.ndarray) -> str:
    """Returns the width and height of a picture [H, W, 3] as text."""
    return f"{picture.shape[1]}x{picture.shape[0]} pixels"


def cut_picture(painted: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Crops a model's only picture, which may be larger by rounding up, to its content's size."""
    shape = painted.shape if painted.ndim == 4 else (0,) * 4
    excess = [got - wanted for got, wanted in zip(shape[1:3], content.shape[:2], strict=True)]
    if (shape[0], shape[-1]) != (1, 3) or not all(0 <= pixels_over <= MAX_EXCESS for pixels_over in excess):
        raise InputError(
            f"the model returns shape {list(painted.shape)} for a content of shape {list(content.shape)}: "
            "a stylizer returns one picture for one, and keeps its size"
        )
    return painted[0, : content.shape[0], : content.shape[1]]


def _stylizer(
    function: Callable[..., Any],
    signature: Signature,
    binding: SignatureBinding,
    trace: Callable[[], Traced],
    options: SourceOptions,
) -> EndToEndStylizer | ExternalSingleStyleStylizer:
    kind: type[EndToEndStylizer | ExternalSingleStyleStylizer] = EndToEndStylizer
    if binding.style is None:
        options.refuse_style_range()
        kind = ExternalSingleStyleStylizer
    return kind(function, signature, binding, trace, options.ranges)


def from_saved_model(folder: Path, options: SourceOptions) -> EndToEndStylizer | ExternalSingleStyleStylizer:
    """Opens a SavedModel, TF1 or TF2; refuses it if its roles cannot be determined."""
    loaded = hub.load(folder)
    described = {name: _described(function) for name, function in loaded.signatures.items()}
    binding = find(str(folder), described, options.names)
    signature = loaded.signatures[binding.signature]

    def function(*pictures: Any, kept: Any = loaded) -> Any:
        # The loaded object is kept: its signatures hold only weak references to the variables.
        return signature(**dict(zip(binding.inputs.values(), pictures, strict=True)))[binding.output]

    def trace() -> Traced:
        # The names of a function's inputs in its graph differ between TF1 and TF2; their order does not.
        names, outputs = list(signature._arg_keywords), sorted(signature.structured_outputs)
        inputs = tuple(names.index(name) for name in binding.inputs.values())
        return Traced(signature, inputs, outputs.index(binding.output))

    return _stylizer(function, described[binding.signature], binding, trace, options)


def _described(function: Any) -> Signature:
    _, inputs = function.structured_input_signature
    outputs = function.structured_outputs
    return Signature(
        {name: tensor_of(spec) for name, spec in sorted(inputs.items())},
        {name: tensor_of(spec) for name, spec in sorted(outputs.items())},
    )


def from_keras_model(model: Any, source: str, options: SourceOptions) -> EndToEndStylizer | ExternalSingleStyleStylizer:
    """Wraps a Keras model that takes a content and optionally a style; refuses it if its roles cannot be determined."""
    if not isinstance(getattr(model, "inputs", None), list) or not getattr(model, "outputs", None):
        raise InputError(f"{source}: holds a {type(model).__name__} with unknown inputs: save a functional model")
    free_upsampling(model)
    inputs = {tensor.name: tensor for tensor in model.inputs}
    names_of_outputs = getattr(model, "output_names", [f"output_{index}" for index in range(len(model.outputs))])
    outputs = dict(zip(names_of_outputs, model.outputs, strict=True))
    described = Signature(
        *({name: Tensor(tuple(end.shape), end.dtype) for name, end in ends.items()} for ends in (inputs, outputs))
    )
    binding = find(source, {"call": described}, options.names)
    ends = {role: inputs[name] for role, name in binding.inputs.items()}
    # A fixed name, because it is part of every name in the graph, and Keras would number it.
    painter = keras.Model(list(ends.values()), outputs[binding.output], name="functional")

    def function(*pictures: Any) -> Any:
        return painter(list(pictures), training=False)

    def trace() -> Traced:
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype, role) for role, tensor in ends.items()]
        return Traced(tf.function(function, specs).get_concrete_function(), tuple(range(len(ends))), 0)

    return _stylizer(function, described, binding, trace, options)
