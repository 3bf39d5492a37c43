"""Paints the frames of a clip or a camera one after the other, without flicker."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.imaging.picture import Picture
from toolkit.imaging.validation import as_picture
from toolkit.inference.image_stylizer import EncodedStyle, ImageStylizer
from toolkit.inference.model_loader import open_model
from toolkit.interface.stylize_options import StylizeOptions
from toolkit.interface.stylizer import SingleStyleStylizer, Stylizer
from toolkit.video.smoothing import Smoother, check_smooth

SMOOTH = 0.85
"""The default of `smooth`: above, paintings lag behind a change of light; below, fine strokes flicker."""


def stylize_frames(
    frames: Iterable[Any],
    style: Any = None,
    model: Stylizer | SingleStyleStylizer | str | Path = "magenta-mobile",
    options: StylizeOptions | None = None,
    smooth: float = SMOOTH,
) -> Iterator[Picture]:
    """Paints frames one after the other, each blended with the one before where the scene is the same.

    The style is read once. With a strength below 1, the content's own style is that of the first frame.

    Args:
        frames: pictures [H, W, 3] in [0, 1], in any form, sides from 16 pixels; a stream of any length.
        style: a path, or a picture in any form; None for a model with a built-in style.
        model: any form of the stylizer, or what `toolkit.open_model` takes.
        options: how frames are painted; `max_size` is not used.
        smooth: in [0, 1), the share of the frame before; 0 paints each frame by itself.

    Returns:
        An iterator that yields each frame as soon as it is painted, [H, W, 3] float32 in [0, 1].

    Raises:
        InputError: the style or the model cannot be read, or a number is out of range; while iterating, a frame is no
            picture.

    Example:
        ```python
        for picture in stylize_frames(camera, "painting.jpg"):
            show(picture)
        ```
    """
    check_smooth(smooth)
    opened = open_model(model) if isinstance(model, str | Path) else model
    stylizer = ImageStylizer(opened, options)
    return _stylized(frames, stylizer, stylizer.read_style(style), smooth)


def _stylized(frames: Iterable[Any], stylizer: ImageStylizer, style: EncodedStyle, smooth: float) -> Iterator[Picture]:
    smoother = Smoother(smooth) if smooth else None
    paint: Callable[[Picture], Picture] | None = None
    try:
        for frame in frames:
            content = as_picture(frame, "the frame")
            if paint is None:
                paint = partial(_painted, stylizer, stylizer.mixed(style, content))
            yield stylizer.at_detail(content, partial(smoother, paint=paint) if smoother else paint)
    finally:
        if smoother:
            smoother.close()


def _painted(stylizer: ImageStylizer, style: EncodedStyle, content: Picture) -> np.ndarray:
    return stylizer.paint(content, style)[0]
