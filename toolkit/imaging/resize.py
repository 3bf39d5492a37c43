"""Resizes, crops and splits pictures."""

from os import PathLike
from typing import Any

from toolkit.errors import InputError
from toolkit.imaging.decoding import load_image
from toolkit.imaging.picture import Picture
from toolkit.imaging.resampling import resampled_picture
from toolkit.imaging.validation import as_picture


def resize(picture: Any, height: int, width: int) -> Picture:
    """Resamples a picture with an antialiasing Lanczos filter, in float precision.

    Args:
        picture: RGB [H, W, 3], floats in [0, 1] or unsigned integers; or a path or a Pillow image.
        height: pixels, at least 1.
        width: pixels, at least 1.

    Returns:
        A new float32 RGB picture in [0, 1], shape [height, width, 3].

    Raises:
        InputError: the shape or the range is wrong, or a side is less than 1.
    """
    picture = as_picture(picture)
    if height < 1 or width < 1:
        raise InputError(f"cannot resize to {width}x{height} px; both sides must be at least 1 px")
    return resampled_picture(picture, height, width)


def center_crop_resize(picture: Any, side: int) -> Picture:
    """Crops the center square of a picture and resizes it: the form a style predictor was trained on.

    Args:
        picture: RGB [H, W, 3], floats in [0, 1] or unsigned integers; or a path or a Pillow image.
        side: pixels, at least 1; style predictors were trained on 256.

    Returns:
        A new float32 RGB picture in [0, 1], shape [side, side, 3].

    Raises:
        InputError: the shape or the range is wrong, or `side` is less than 1.
    """
    picture = load_image(picture, min_side=side) if isinstance(picture, str | PathLike) else as_picture(picture)
    height, width = picture.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return resize(picture[top : top + short, left : left + short], side, side)


def quarters(picture: Any) -> list[Picture]:
    """Cuts a picture into its quarters, row by row.

    Args:
        picture: RGB [H, W, 3], floats in [0, 1] or unsigned integers; or a path or a Pillow image. The last row or
            column of an odd side is dropped.

    Raises:
        InputError: the shape or the range is wrong.
    """
    picture = as_picture(picture)
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return [picture[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
