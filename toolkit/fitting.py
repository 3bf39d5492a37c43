"""Brings pictures of any size to a model that takes only one."""

from collections.abc import Callable

import numpy as np

from toolkit.resampling import resampled_picture
from toolkit.resize import resize
from toolkit.stage_times import StageClock

Size = tuple[int, int]


def fit(picture: np.ndarray, size: Size) -> tuple[np.ndarray, Size]:
    """Scales a picture to fit into a size and mirrors it up to that; returns the size it was scaled to as well."""
    scale = min(size[0] / picture.shape[0], size[1] / picture.shape[1])
    # A mirror needs two pixels.
    height, width = (max(2, round(side * scale)) for side in picture.shape[:2])
    margins = ((0, size[0] - height), (0, size[1] - width), (0, 0))
    return np.pad(resampled_picture(picture, height, width), margins, mode="reflect"), (height, width)


def paint_at(size: Size | None, picture: np.ndarray, paint: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Paints a picture of any size with what takes one height and width, or any where that is None."""
    if size is None or size == picture.shape[:2]:
        return paint(picture)
    fitted, (height, width) = fit(picture, size)
    # What a model gives is held to the range of a picture before it is clipped to it.
    return resize(paint(fitted)[:height, :width], *picture.shape[:2])


def paint_timed(
    size: Size | None, picture: np.ndarray, clock: StageClock, paint: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Paints as `paint_at` does, and counts the stage `transform`, and what was not counted yet as `pre`."""

    def transform(fitted: np.ndarray) -> np.ndarray:
        clock.lap("pre")
        painted = paint(fitted)
        clock.lap("transform")
        return painted

    result = paint_at(size, picture, transform)
    clock.lap("post")
    return result


def resized(size: Size | None, pictures: np.ndarray) -> np.ndarray:
    """Resizes style pictures, whose aspect ratio does not matter; without a size they stay."""
    return pictures if size is None else np.stack([resampled_picture(picture, *size) for picture in pictures])
