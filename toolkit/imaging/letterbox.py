"""Brings pictures of any size to a model that takes only one."""

from collections.abc import Callable

import numpy as np

from toolkit.errors import WorkError
from toolkit.imaging.resampling import resampled_picture
from toolkit.imaging.resize import resize
from toolkit.process.stage_times import StageClock

Size = tuple[int, int]


def fit(picture: np.ndarray, size: Size) -> tuple[np.ndarray, Size]:
    """Scales a picture to fit into a size and mirrors it up to that; returns the size it was scaled to as well."""
    scale = min(size[0] / picture.shape[0], size[1] / picture.shape[1])
    # A mirror needs two pixels.
    height, width = (max(2, round(side * scale)) for side in picture.shape[:2])
    margins = ((0, size[0] - height), (0, size[1] - width), (0, 0))
    return np.pad(resampled_picture(picture, height, width), margins, mode="reflect"), (height, width)


def paint_at(size: Size | None, picture: np.ndarray, paint: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Paints a picture of any size.

    Args:
        size: the height and width that `paint` takes; None for any.
        picture: [H, W, 3] float32 in [0, 1].
        paint: takes and gives such a picture.

    Returns:
        [H, W, 3], of the given picture's size.

    Raises:
        WorkError: the model gives a picture of another size than it was given.
    """
    if size is None or size == picture.shape[:2]:
        return _of_the_size(picture, paint(picture))
    fitted, (height, width) = fit(picture, size)
    # What a model gives is held to the range of a picture before it is clipped to it.
    return resize(_of_the_size(fitted, paint(fitted))[:height, :width], *picture.shape[:2])


def _of_the_size(picture: np.ndarray, painted: np.ndarray) -> np.ndarray:
    if painted.shape != picture.shape:
        shapes = f"of the shape {list(painted.shape)} for one of {list(picture.shape)}"
        raise WorkError(f"the model gives a picture {shapes}: its file is damaged, or it is no stylizer")
    return painted


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
