"""Paints a photo at a chosen size and gives the painting at the photo's own."""

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
    """Refuses a side under 16 pixels, at which no network paints."""
    if detail < MIN_SIDE:
        raise InputError(f"detail is {detail} pixels: give {MIN_SIDE} or more, such as {DETAIL}")


def painted_size(size: tuple[int, ...], detail: int, model_size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Returns the size at which a picture is painted.

    Args:
        size: of the picture: height and width, in pixels.
        detail: the most that the longer side has, in pixels.
        model_size: the one height and width that the model takes, within which the picture has to fit; None for any.

    Returns:
        Height and width; the picture's own where it is not too large. No side is less than 16 pixels, so that the
        longer side of a narrow strip may exceed `detail`.
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
    """Paints a picture at a chosen size and brings the result to the picture's own size, its edges sharp.

    The size decides how wide the strokes are against the subject. A picture that is not larger is painted as it is,
    and what `paint` returns is passed on without a change.

    Args:
        content: the photo: RGB [H, W, 3], floats in [0, 1] or unsigned integers; or a path or a Pillow image.
        paint: takes float32 RGB [h, w, 3] in [0, 1] and returns the same, or a batch of one.
        detail: the longer side at which is painted, in pixels, at least 16.
        model_size: the one height and width that `paint` takes without resampling; None for any.

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
    """Gives a painting its photo's size; `small` is the photo at the painting's size, if that is at hand."""
    height, width = painted.shape[:2]
    if (height, width) == content.shape[:2]:
        return painted
    if height > content.shape[0] or width > content.shape[1]:
        return resampled_picture(painted, *content.shape[:2])
    if small is None or small.shape != painted.shape:
        small = resampled_picture(content, height, width)
    return upsample(painted, small, content)
