"""Checks the inputs of public calls: the accepted forms of pictures, and shapes and ranges of other arguments.

A picture is a path, a Pillow image, or an array or tensor: RGB, the channels last, floats in [0, 1], or bool, uint8 or
uint16, which are divided by the largest number of their type (`toolkit.imaging.picture.to_unit_range`). Where a batch
is taken, one picture is a batch of one, and a list of pictures of one size is a batch; where one picture is taken, a
batch of one is that picture.
"""

import sys
from os import PathLike
from typing import Any

import numpy as np
from PIL import Image

from toolkit.errors import InputError
from toolkit.imaging.decoding import load_image
from toolkit.imaging.picture import MIN_SIDE, Picture, check_batch_shape, rgb, rgb_batch, samples_of

__all__ = [
    "MIN_SIDE",
    "Pictures",
    "as_picture",
    "as_pictures",
    "check_bottleneck",
    "check_strength",
    "check_styles",
    "is_symbolic",
]


Pictures = Any
"""A batch of pictures in any accepted form."""


def as_picture(picture: Any, name: str = "the picture") -> Picture:
    """Converts one picture, of any size and form; returns an array that is a picture already as it is."""
    if isinstance(picture, str | PathLike | Image.Image):
        return load_image(picture)
    return rgb(samples_of(picture, name), name)


def as_pictures(pictures: Any, name: str, min_side: int = MIN_SIDE) -> Any:
    """Converts a batch of pictures in any form to float32 RGB in [0, 1], shape [B, H, W, 3].

    A batch in that form is returned as it is, and so is a symbolic tensor, which has no samples yet.
    """
    if is_symbolic(pictures):
        _check_symbolic(pictures, name, min_side)
        return pictures
    batch = _batch(pictures, name)
    height, width = batch.shape[1:3]
    _check_sides(height, width, name, min_side)
    return batch


def is_symbolic(value: Any) -> bool:
    """Returns whether a value is a symbolic tensor, of a graph or of a functional Keras model."""
    if type(value).__module__.partition(".")[0] not in ("tensorflow", "keras") or not hasattr(value, "shape"):
        return False
    if not hasattr(value, "numpy"):
        return True
    # A variable's value is not available while a graph is traced.
    return hasattr(value, "assign") and not sys.modules["tensorflow"].executing_eagerly()


def _check_symbolic(tensor: Any, name: str, min_side: int) -> None:
    if getattr(tensor.shape, "rank", 4) is None:
        return
    shape = tuple(tensor.shape)
    check_batch_shape(shape, name)
    _check_sides(shape[1], shape[2], name, min_side)
    dtype = getattr(tensor.dtype, "name", tensor.dtype)
    if "float" not in dtype:
        raise InputError(f"{name} is a tensor of {dtype} in a graph: cast it to float32 and scale it to [0, 1] there")


def _check_sides(height: int | None, width: int | None, name: str, least: int) -> None:
    if any(side is not None and side < least for side in (height, width)):
        raise InputError(f"{name} is {width}x{height} pixels: both sides must be at least {least}")


def _batch(pictures: Any, name: str) -> np.ndarray:
    if isinstance(pictures, str | PathLike | Image.Image):
        return load_image(pictures)[np.newaxis]
    if isinstance(pictures, list | tuple) and any(_is_one(picture) for picture in pictures):
        loaded = [as_picture(picture, name) for picture in pictures]
        sizes = list(dict.fromkeys(f"{picture.shape[1]}x{picture.shape[0]}" for picture in loaded))
        if len(sizes) > 1:
            raise InputError(f"{name} has pictures of {' and '.join(sizes)} px: a batch has one size")
        return np.stack(loaded)
    return rgb_batch(samples_of(pictures, name), name)


def _is_one(value: Any) -> bool:
    """Whether a list member is a whole picture, not a row of numbers."""
    return isinstance(value, str | PathLike | Image.Image) or hasattr(value, "shape")


def check_bottleneck(bottleneck: Any, length: int, contents: int | None) -> None:
    """Refuses all but a single bottleneck or a bottleneck for each content; None for an unknown number of contents."""
    shape = tuple(bottleneck.shape)
    if len(shape) != 4 or shape[1:] != (1, 1, length):
        raise InputError(f"bottleneck has shape {shape}: give [batch, 1, 1, {length}]")
    if contents is not None:
        check_styles(shape[0], contents)


def check_styles(styles: int | None, contents: int) -> None:
    """Refuses a number of styles that is neither 1 nor that of the contents; None where it is not known yet."""
    if styles not in (None, 1, contents):
        raise InputError(f"{contents} contents and {styles} styles: give one style, or one for each content")


def check_strength(strength: Any) -> None:
    """Refuses a strength, or one of several, outside [0, 1]."""
    for value in strength.ravel() if hasattr(strength, "ravel") else (strength,):
        if not 0 <= value <= 1:
            raise InputError(f"strength is {value:g}: give a number from 0 to 1")
