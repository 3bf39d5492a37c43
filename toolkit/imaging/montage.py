"""Several pictures as one: side by side under labels, and the feature maps of a layer as tiles."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.imaging.images import Picture


def side_by_side(pictures: Mapping[str, Any], columns: int | None = None) -> Picture:
    """Sets pictures beside each other, each under its label.

    Args:
        pictures: by label, in any form that `toolkit.imaging.validation` takes; all are resized to the height of the
            first.
        columns: pictures in a row, at least 1; all of them by default.

    Returns:
        One picture, float32 in [0, 1]: as wide as its widest row, and a line of text above each row.

    Raises:
        InputError: there is no picture or no column, or the shape or range of a picture is wrong.
    """
    if not pictures:
        raise InputError("there are no pictures to combine: give at least one")
    columns = len(pictures) if columns is None else columns
    if columns < 1:
        raise InputError(f"columns is {columns}: give at least 1")
    checked = {label: images.as_picture(picture, f"the picture {label!r}") for label, picture in pictures.items()}
    height = next(iter(checked.values())).shape[0]
    labeled = [_labeled(label, picture, height) for label, picture in checked.items()]
    rows = [np.concatenate(labeled[first : first + columns], axis=1) for first in range(0, len(labeled), columns)]
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=1) for row in rows]
    return np.concatenate(padded)


def _labeled(label: str, picture: Picture, height: int) -> Picture:
    text_size = max(10, height // 18)
    fitted = images.resize(picture, height, round(picture.shape[1] * height / picture.shape[0]))
    caption = Image.new("RGB", (fitted.shape[1], 2 * text_size), "white")
    # A label wider than its picture gets a smaller font, and is never cut off.
    wide = ImageFont.load_default(text_size).getlength(label) / (0.95 * fitted.shape[1])
    font = ImageFont.load_default(text_size / max(1.0, wide))
    middle = (fitted.shape[1] / 2, text_size)
    ImageDraw.Draw(caption).text(middle, label, fill="black", font=font, anchor="mm")
    return np.concatenate([images.from_uint8(np.asarray(caption)), fitted])


def feature_maps(activations: Any, count: int = 16, height: int = 256) -> Picture:
    """Shows what a layer sees: the maps of its most active channels as gray tiles in a square.

    A tile is black at its channel's minimum and white at its maximum.

    Args:
        activations: [H, W, C] or [1, H, W, C], an array or tensor of floats.
        count: how many channels are shown, at least 1; all where there are fewer.
        height: of the picture in pixels, at least one for each row of tiles.

    Returns:
        [H, W, 3] float32 in [0, 1], in the activations' aspect ratio; H is the largest multiple of the number of rows
        that the height asked for holds.

    Raises:
        InputError: the shape is wrong, an activation is not finite, or no tile fits.
    """
    maps = np.asarray(activations, np.float32)
    maps = maps[0] if maps.ndim == 4 and len(maps) == 1 else maps
    if maps.ndim != 3 or 0 in maps.shape:
        raise InputError(f"the activations have shape {list(np.shape(activations))}: give [height, width, channels]")
    if not np.isfinite(maps).all():
        raise InputError("the activations hold numbers that are not finite (NaN or infinity): give finite ones")
    side = math.isqrt(max(min(count, maps.shape[-1]), 0))
    if not 1 <= side <= height:
        raise InputError(f"{count} tiles do not fit a picture {height} px high: give at least 1, and fewer than pixels")
    loudest = np.argsort(-maps.mean(axis=(0, 1)), kind="stable")[: side * side]
    lows, highs = maps.min(axis=(0, 1)), maps.max(axis=(0, 1))
    gray = ((maps - lows) / np.maximum(highs - lows, 1e-12))[..., loudest]
    tile_height = height // side
    tile_width = max(1, round(tile_height * maps.shape[1] / maps.shape[0]))
    tiles = [_tile(gray[..., index], tile_height, tile_width) for index in range(side * side)]
    picture = np.concatenate([np.concatenate(tiles[row * side :][:side], axis=1) for row in range(side)])
    return np.repeat(picture[..., None], 3, axis=-1)


def _tile(gray: np.ndarray, height: int, width: int) -> np.ndarray:
    # Not smoothed: the tiles should show how coarse the resolution of a deep layer is.
    row, column = (np.arange(new) * old // new for new, old in zip((height, width), gray.shape, strict=True))
    return gray[row][:, column]
