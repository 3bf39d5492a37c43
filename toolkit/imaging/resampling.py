"""Resampling and size bounds, shared by decoding and resizing."""

from collections.abc import Iterable

import numpy as np
from PIL import Image

from toolkit.errors import InputError
from toolkit.imaging.picture import MIN_SIDE, Picture


def bounded(width: int, height: int, name: str, max_size: int | None) -> tuple[int, int]:
    """Scales a width and a height down to a bound on the longer, if any; refuses a result below `MIN_SIDE`."""
    longer = max(width, height)
    if max_size is None or longer <= max_size:
        return width, height
    new_width, new_height = round(width * max_size / longer), round(height * max_size / longer)
    if min(new_width, new_height) < MIN_SIDE:
        raise InputError(
            f"cannot bound {name} to {max_size} px: its {width}x{height} px would become "
            f"{new_width}x{new_height} px, below {MIN_SIDE} px on a side; choose a larger bound"
        )
    return new_width, new_height


Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of an image, in pixels."""


def resampled(
    channels: Iterable[Image.Image], size: tuple[int, int], white: float = 1.0, box: Box | None = None
) -> Picture:
    """Resamples a part of channels, mode F and from 0 to `white`, to a width and height by an antialiasing Lanczos."""
    resized = [np.asarray(channel.resize(size, Image.Resampling.LANCZOS, box)) for channel in channels]
    return np.clip(np.stack(resized, axis=-1) / np.float32(white), 0.0, 1.0)


def resampled_picture(picture: Picture, height: int, width: int) -> Picture:
    """Resamples a picture without checking it."""
    channels = (Image.fromarray(np.ascontiguousarray(picture[..., channel], np.float32)) for channel in range(3))
    return resampled(channels, (width, height))
