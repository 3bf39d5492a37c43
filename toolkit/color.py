"""Luminance and colors of pictures."""

from typing import Any

import numpy as np

from toolkit.errors import InputError
from toolkit.inputs import as_picture
from toolkit.picture import Picture, extent

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # the Y row of YIQ


def luminance(picture: Any) -> np.ndarray:
    """Returns the Y of YIQ of a picture [H, W, 3], as float32 [H, W, 1]."""
    return _luma(as_picture(picture))


def preserve_color(content: Any, stylized: Any) -> Picture:
    """Paints the luminance of one picture in the colors of another (Gatys et al. 2016, arXiv 1606.05897).

    Where the pair of luminance and color lies outside RGB, the color is paled, never the luminance
    changed.

    Args:
        content: the picture that gives I and Q of YIQ: RGB [H, W, 3], floats in [0, 1] or unsigned integers; or a path
            or a Pillow image.
        stylized: the picture that gives Y, likewise, of the same size.

    Returns:
        A new float32 RGB picture in [0, 1], shape [H, W, 3].

    Raises:
        InputError: the two sizes differ, or a shape or range is another.
    """
    content, stylized = as_picture(content, "the content"), as_picture(stylized, "the stylized picture")
    if content.shape != stylized.shape:
        raise InputError(
            f"cannot keep the colors of a {extent(content)} picture in a {extent(stylized)} one; "
            "resize one of them to the other's size"
        )
    luma = _luma(stylized)
    # Y enters R, G and B of YIQ with weight 1, so content minus its own Y is what I and Q contribute.
    chroma = content - _luma(content)
    room = np.where(chroma > 0, 1 - luma, luma) / np.maximum(np.abs(chroma), 1e-6)
    paling = np.minimum(room.min(axis=-1, keepdims=True), 1.0)
    return np.clip(luma + paling * chroma, 0.0, 1.0).astype(np.float32)


def _luma(picture: Picture) -> np.ndarray:
    return (picture @ _LUMA)[..., None]
