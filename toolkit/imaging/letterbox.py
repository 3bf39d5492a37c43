"""Fits pictures of any size to a model with a fixed input size."""

from collections.abc import Callable

import numpy as np

from toolkit.errors import WorkError
from toolkit.imaging.resampling import resampled_picture
from toolkit.imaging.resize import resize
from toolkit.process.stage_times import StageClock

Size = tuple[int, int]


def fit(picture: np.ndarray, size: Size) -> tuple[np.ndarray, Size]:
    """Scales a picture to fit a size and pads it by mirroring; also returns the size before padding."""
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
        paint: maps such a picture to another.

    Returns:
        [H, W, 3], of the given picture's size.

    Raises:
        WorkError: the model returns a picture of a different size.
    """
    if size is None or size == picture.shape[:2]:
        return _of_the_size(picture, paint(picture))
    fitted, (height, width) = fit(picture, size)
    # The model's output is checked at its full size before the padding is cut off.
    return resize(_of_the_size(fitted, paint(fitted))[:height, :width], *picture.shape[:2])


def _of_the_size(picture: np.ndarray, painted: np.ndarray) -> np.ndarray:
    if painted.shape != picture.shape:
        shapes = f"of shape {list(painted.shape)} for an input of shape {list(picture.shape)}"
        raise WorkError(f"the model returns a picture {shapes}: its file is damaged, or it is not a stylizer")
    return painted


def paint_timed(
    size: Size | None, picture: np.ndarray, clock: StageClock, paint: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Paints as `paint_at` does, and measures the stages `pre`, `transform` and `post`."""

    def transform(fitted: np.ndarray) -> np.ndarray:
        clock.lap("pre")
        painted = paint(fitted)
        clock.lap("transform")
        return painted

    result = paint_at(size, picture, transform)
    clock.lap("post")
    return result


def resized(size: Size | None, pictures: np.ndarray) -> np.ndarray:
    """Resizes style pictures, whose aspect ratio does not matter; without a size, returns them unchanged."""
    return pictures if size is None else np.stack([resampled_picture(picture, *size) for picture in pictures])
