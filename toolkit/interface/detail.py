"""Paints a photo at a chosen size, and enlarges the painting to the photo's own size."""

from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.errors import InputError
from toolkit.imaging.picture import MIN_SIDE, Picture
from toolkit.imaging.resampling import resampled_picture
from toolkit.imaging.validation import as_picture
from toolkit.interface.guided_upsampling import upsample
from toolkit.interface.sizes import DETAIL


def check_detail(detail: int) -> None:
    """Refuses a side under 16 pixels, which networks do not support."""
    if detail < MIN_SIDE:
        raise InputError(f"detail is {detail} pixels: give {MIN_SIDE} or more, such as {DETAIL}")


def painted_size(size: tuple[int, ...], detail: int, model_size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Returns the size at which a picture is painted.

    Args:
        size: height and width of the picture, in pixels.
        detail: maximum of the longer side, in pixels.
        model_size: fixed height and width of the model, into which the picture must fit; None for any.

    Returns:
        Height and width; the picture's own if it is small enough. No side is less than 16 pixels, so the longer side of
        a narrow strip may exceed `detail`.
    """
    height, width = size
    scale = detail / max(height, width)
    if model_size is not None:
        scale = min(scale, model_size[0] / height, model_size[1] / width)
    scale = max(scale, MIN_SIDE / min(height, width))
    return (height, width) if scale >= 1 else (round(height * scale), round(width * scale))


def paint_at_detail(
    content: Any,
    paint: Callable[[Picture], Any],
    detail: int = DETAIL,
    model_size: tuple[int, int] | None = None,
) -> Picture:
    """Paints a picture at a chosen size, and enlarges the result to the picture's own size with sharp edges.

    The size determines the width of the strokes relative to the subject. A smaller picture is painted as it is, and the
    result of `paint` is returned unchanged.

    Args:
        content: the photo: RGB [H, W, 3], floats in [0, 1] or unsigned integers; or a path or a Pillow image.
        paint: maps float32 RGB [h, w, 3] in [0, 1] to the same, or to a batch of one.
        detail: longer side of the painted size, in pixels, at least 16.
        model_size: height and width that `paint` takes without resampling; None for any.

    Returns:
        A new float32 RGB picture in [0, 1], shape [H, W, 3].

    Raises:
        InputError: the content cannot be read, or `detail` is less than 16.

    Example:
        ```python
        >>> picture = paint_at_detail("photo.jpg", lambda small: stylizer(small, style))  # doctest: +SKIP
        ```
    """
    check_detail(detail)
    content = as_picture(content, "the content")
    size = painted_size(content.shape[:2], detail, model_size)
    small = content if size == content.shape[:2] else resampled_picture(content, *size)
    painted = np.asarray(paint(small))
    return brought_to(content, painted[0] if painted.ndim == 4 else painted, small)


def brought_to(content: Picture, painted: Picture, small: Picture | None = None) -> Picture:
    """Resizes a painting to its photo's size; `small` is the photo at the painting's size, if available."""
    height, width = painted.shape[:2]
    if (height, width) == content.shape[:2]:
        return painted
    if height > content.shape[0] or width > content.shape[1]:
        return resampled_picture(painted, *content.shape[:2])
    if small is None or small.shape != painted.shape:
        small = resampled_picture(content, height, width)
    return upsample(painted, small, content)
