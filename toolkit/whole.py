"""A stylizer made elsewhere, in one piece: content and style in, picture out, whatever is inside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from toolkit import hub, keras_file
from toolkit.backend import keras
from toolkit.convention import Convention, Signature, Tensor, find, tensor_of
from toolkit.errors import InputError, told_in_one_line
from toolkit.fitting import Size, paint_at, resized
from toolkit.free_size import free_upsampling
from toolkit.inputs import MIN_SIDE, as_pictures, check_styles
from toolkit.precision import in_float32

# Networks that halve their input give back a picture whose sides are rounded up: from the fourth halving on by 15.
MAX_EXCESS = MIN_SIDE - 1


def cut(picture: Any, content: Any) -> Any:
    """Cuts a picture down to its content's height and width, from the top left corner, in a graph.

    Args:
        picture: [B, H', W', 3], not smaller than the content.
        content: [B, H, W, 3].

    Returns:
        [B, H, W, 3].
    """
    if None not in content.shape[1:3] and picture.shape[1:3] == content.shape[1:3]:
        return picture
    size = tf.shape(content)
    return picture[:, : size[1], : size[2], :]


def _fixed_size(tensor: Tensor) -> Size | None:
    if tensor.shape is None or None in tensor.shape[1:3]:
        return None
    return tensor.shape[1], tensor.shape[2]  # type: ignore[return-value]


def _picture_shape(tensor: Tensor) -> tuple[int | None, ...]:
    return (None, *(tensor.shape or (None, None, None))[1:3], 3)


def _batch(tensor: Tensor) -> int | None:
    return tensor.shape[0] if tensor.shape else None


@dataclass(frozen=True)
class Traced:
    """A stylizer as one TensorFlow function.

    Attributes:
        concrete: the function.
        content: which of its inputs is the content.
        style: which is the style.
        output: which of its outputs is the picture.
    """

    concrete: Any
    content: int
    style: int
    output: int


class WholeStylizer:
    """A stylizer of which only the call is known.

    A picture that comes back a little larger than its content, because the network halves its input, is cut to the
    content's size. Where the model takes one size only, pictures are scaled to fit and back. Where it takes batches of
    one length only, each picture fills one. Pictures are taken in any form (see `toolkit.inputs`). Threads may share
    one; their calls run at the same time.

    Args:
        function: takes a content and a style, [B, H, W, 3] tensors, and gives the picture; in a graph, too.
        signature: the shapes it takes.
        convention: which of the signature's inputs is which.
        trace: gives the same as one TensorFlow function.

    Attributes:
        content_shape: [None, H, W, 3], None for what may vary.
        style_shape: the same of the style.
        batches: the one length of a batch of contents that it takes, and of styles; None for any.
        content_size: the one height and width it takes; None for any.
        style_size: the same of the style.
        convention: how the model it was made from is called.
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        signature: Signature,
        convention: Convention,
        trace: Callable[[], Traced],
    ) -> None:
        content, style = signature.inputs[convention.content], signature.inputs[convention.style]
        self.trace = trace
        self.convention = convention
        self.batches = _batch(content), _batch(style)
        self.function = self.of_any_batch(function)
        self.content_shape, self.style_shape = _picture_shape(content), _picture_shape(style)
        self.content_size, self.style_size = _fixed_size(content), _fixed_size(style)

    @property
    def takes_any_size(self) -> bool:
        """Whether neither batch nor height nor width is fixed, of content and style."""
        return not any((*self.batches, *self.content_shape[1:3], *self.style_shape[1:3]))

    def of_any_batch(self, call: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Returns the model's function, or its graph's, for batches of any length.

        Args:
            call: takes as many contents and styles, [B, H, W, 3] tensors, as the model does, and gives pictures.
        """
        if not any(self.batches):
            return call
        of_content, of_style = self.batches
        lengths = of_content or of_style, of_style or of_content

        def one(content: Any, style: Any) -> Any:
            pair = zip((content, style), lengths, strict=True)
            return call(*(tf.repeat(picture, length, axis=0) for picture, length in pair))[:1]

        def each(content: Any, style: Any) -> Any:
            if content.shape[0] == 1:
                return one(content, style)
            styles = tf.broadcast_to(style, tf.concat([tf.shape(content)[:1], tf.shape(style)[1:]], 0))
            pictures = tf.TensorSpec((None, None, 3))
            return tf.map_fn(lambda pair: one(pair[0][None], pair[1][None])[0], (content, styles), pictures)

        return each

    def __call__(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Repaints pictures in the style of other pictures.

        Args:
            content: [B, H, W, 3] float32 in [0, 1], sides from 16 pixels.
            style: [B or 1, h, w, 3] float32 in [0, 1], sides from 16 pixels.

        Returns:
            [B, H, W, 3] float32.

        Raises:
            InputError: a shape is another one, or the model gives pictures of another size than the content's.
        """
        content, style = as_pictures(content, "content"), as_pictures(style, "style")
        check_styles(len(style), len(content))
        styles = resized(self.style_size, style)
        styles = np.broadcast_to(styles, (len(content), *styles.shape[1:]))
        pairs = zip(content, styles, strict=True)
        return np.stack([paint_at(self.content_size, *self._painting(picture, one)) for picture, one in pairs])

    def _painting(self, picture: np.ndarray, style: np.ndarray) -> tuple[np.ndarray, Callable[..., np.ndarray]]:
        def paint(content: np.ndarray) -> np.ndarray:
            with told_in_one_line(f"the model could not be run on a content of {pixels(content)}"):
                painted = np.asarray(self.function(tf.constant(content[None]), tf.constant(style[None])))
            return cut_picture(painted, content)

        return picture, paint


def pixels(picture: np.ndarray) -> str:
    """Returns the width and height of a picture [H, W, 3], for people."""
    return f"{picture.shape[1]}x{picture.shape[0]} pixels"


def cut_picture(painted: np.ndarray, content: np.ndarray) -> np.ndarray:
    """Cuts the one picture that a model gave down to its content's size.

    Args:
        painted: [1, H', W', 3].
        content: [H, W, 3].

    Returns:
        [H, W, 3].

    Raises:
        InputError: the picture is smaller than the content, or larger by more than rounding up explains.
    """
    excess = [got - wanted for got, wanted in zip(painted.shape[1:3], content.shape[:2], strict=True)]
    if painted.ndim != 4 or painted.shape[-1] != 3 or not all(0 <= one <= MAX_EXCESS for one in excess):
        raise InputError(
            f"the model gives {list(painted.shape)} for a content of {list(content.shape)}: "
            "a stylizer keeps the content's size"
        )
    return painted[0, : content.shape[0], : content.shape[1]]


def from_saved_model(folder: Path, names: Mapping[str, str]) -> WholeStylizer:
    """Opens a SavedModel, TF1 or TF2.

    Args:
        folder: the SavedModel.
        names: which input is which, where its signatures do not tell; see `toolkit.convention.parse`.

    Returns:
        The stylizer.

    Raises:
        InputError: it is no SavedModel, or how it is to be called cannot be told.
    """
    loaded = hub.load(folder)
    described = {name: _described(function) for name, function in loaded.signatures.items()}
    convention = find(str(folder), described, names)
    signature = loaded.signatures[convention.signature]

    def function(content: Any, style: Any, kept: Any = loaded) -> Any:
        # The loaded object is kept: its signatures hold only weak references to the variables.
        return signature(**{convention.content: content, convention.style: style})[convention.output]

    def trace() -> Traced:
        # What the names of a function's inputs are in its graph differs between TF1 and TF2; their order does not.
        names, outputs = list(signature._arg_keywords), sorted(signature.structured_outputs)
        indices = names.index(convention.content), names.index(convention.style), outputs.index(convention.output)
        return Traced(signature, *indices)

    return WholeStylizer(function, described[convention.signature], convention, trace)


def _described(function: Any) -> Signature:
    _, inputs = function.structured_input_signature
    outputs = function.structured_outputs
    return Signature(
        {name: tensor_of(spec) for name, spec in sorted(inputs.items())},
        {name: tensor_of(spec) for name, spec in sorted(outputs.items())},
    )


def from_keras(path: Path, names: Mapping[str, str]) -> WholeStylizer:
    """Opens a Keras model that takes a content and a style picture.

    Args:
        path: a `.keras` file; it may bring no code along.
        names: which input is which, where their names do not tell.

    Returns:
        The stylizer.

    Raises:
        InputError: it is no such file, or how it is to be called cannot be told.
    """
    return from_keras_model(keras_file.load(path, keras.Model), str(path), names)


def from_keras_model(model: Any, source: str, names: Mapping[str, str]) -> WholeStylizer:
    """Wraps a Keras model that takes a content and a style picture.

    Args:
        model: a functional model.
        source: what to call it in an error.
        names: which input is which, where their names do not tell.

    Returns:
        The stylizer.

    Raises:
        InputError: it is of another kind, or how it is to be called cannot be told.
    """
    if not isinstance(getattr(model, "inputs", None), list) or not getattr(model, "outputs", None):
        raise InputError(
            f"{source}: holds a {type(model).__name__} whose inputs are not known: save a functional model"
        )
    with told_in_one_line(f"{source}: could not be prepared"):
        model = in_float32(model)
        free_upsampling(model)
    inputs = {tensor.name: tensor for tensor in model.inputs}
    names_of_outputs = getattr(model, "output_names", [f"output_{index}" for index in range(len(model.outputs))])
    outputs = dict(zip(names_of_outputs, model.outputs, strict=True))
    described = Signature(*({name: _keras_tensor(one) for name, one in ends.items()} for ends in (inputs, outputs)))
    convention = find(source, {"call": described}, names)
    # Named, for Keras would count: its name is part of every name in the graph.
    pair = keras.Model(
        [inputs[convention.content], inputs[convention.style]], outputs[convention.output], name="functional"
    )

    def function(content: Any, style: Any) -> Any:
        return pair([content, style], training=False)

    def trace() -> Traced:
        ends = [inputs[convention.content], inputs[convention.style]]
        specs = [
            tf.TensorSpec(tensor.shape, name=role) for tensor, role in zip(ends, ("content", "style"), strict=True)
        ]
        return Traced(tf.function(function, specs).get_concrete_function(), 0, 1, 0)

    return WholeStylizer(function, described, convention, trace)


def _keras_tensor(tensor: Any) -> Tensor:
    return Tensor(tuple(tensor.shape), tensor.dtype)
