"""Luminance and colors of pictures."""

from typing import Any

import numpy as np
from PIL import Image

from toolkit.errors import InputError
from toolkit.imaging.picture import Picture, extent
from toolkit.imaging.validation import as_picture

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""The Y row of YIQ."""

# The longer side of the coarse picture of light, in pixels: structure wider than a fiftieth of the picture is the
# photo's light and shade, anything narrower the painting's strokes. Chosen by eye.
_COARSE_SIDE = 50
# Rows computed at a time, to save memory.
_STRIP_ROWS = 128


def luminance(picture: Any) -> np.ndarray:
    """Returns the Y of YIQ of a picture [H, W, 3], as float32 [H, W, 1]."""
    return (as_picture(picture) @ LUMA)[..., None]


def preserve_color(content: Any, stylized: Any) -> Picture:
    """Paints the strokes of one picture in the colors of another.

    The luminance comes from the painting and the color from the photo (Gatys et al. 2016, arXiv 1606.05897). The paper
    matches the mean and deviation of the luminance over the whole picture. Here it is matched locally, because a dark
    red painted as light as a white cup is no longer red. Where luminance and color together lie outside RGB, the color
    is desaturated; the luminance never changes.

    Args:
        content: the picture that gives colors, light and shade: RGB [H, W, 3], floats in [0, 1] or unsigned integers;
            or a path or a Pillow image.
        stylized: the picture that gives the strokes: same forms, same size.

    Returns:
        A new float32 RGB picture in [0, 1], shape [H, W, 3].

    Raises:
        InputError: the two sizes differ, or a shape or range is wrong.
    """
    content, stylized = as_picture(content, "the content"), as_picture(stylized, "the stylized picture")
    if content.shape != stylized.shape:
        raise InputError(
            f"cannot keep the colors of a {extent(content)} picture in a {extent(stylized)} one; "
            "resize one of them to the other's size"
        )
    own = content @ LUMA
    luma = stylized @ LUMA
    luma += _smooth(own - luma)
    np.clip(luma, 0.0, 1.0, out=luma)
    result = np.empty(content.shape, np.float32)
    for top in range(0, len(content), _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        # Y enters R, G and B of YIQ with weight 1, so content minus its own Y is what I and Q contribute.
        result[rows] = _colored(luma[rows, :, None], content[rows] - own[rows, :, None])
    return result


def _smooth(values: np.ndarray) -> np.ndarray:
    """Returns the slowly changing part of an array [H, W]."""
    height, width = values.shape
    scale = min(1.0, _COARSE_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    coarse = Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def _colored(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    room = np.where(chroma > 0, 1 - luma, luma) / np.maximum(np.abs(chroma), 1e-6)
    paling = np.minimum(room.min(axis=-1, keepdims=True), 1.0)
    return np.clip(luma + paling * chroma, 0.0, 1.0)
