"""The problem of a run of style transfer: a content, styles and their weights, at any scale."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.imaging.images import Picture
from toolkit.optimization.features.vgg19 import MIN_SIDE


class Problem:
    """The checked pictures and weights of a run.

    A plain object, so that Keras does not track it in a model.

    Args:
        content: a picture [H, W, 3] or [1, H, W, 3] in [0, 1], in any form that `toolkit.imaging.validation` takes,
            sides from 32 pixels.
        style: such a picture of any size, or several.
        style_weights: a weight above 0 for each style; equal by default.

    Raises:
        InputError: a picture has a wrong shape, range or size, or the weights do not fit the styles.
    """

    def __init__(self, content: Any, style: Any, style_weights: Sequence[float] | None = None) -> None:
        self.content = _picture("the content", content)
        is_several = isinstance(style, list | tuple) or (np.ndim(style) == 4 and len(style) > 1)
        styles = list(style) if is_several else [style]
        self.styles = [_picture("the style", picture) for picture in styles]
        self.style_shares = _style_shares(style_weights, len(styles))

    def at(self, scale: int) -> tuple[Picture, list[Picture]]:
        """Returns the content and the styles with both sides halved `scale` times."""
        # A style is not reduced below the smallest side that VGG19 accepts.
        return _halved(self.content, scale), [_halved(style, scale, MIN_SIDE) for style in self.styles]

    def settings(self) -> dict[str, Any]:
        """Returns JSON values that identify this problem; pictures by hash."""
        return {
            "content": fingerprint([self.content]),
            "style": fingerprint(self.styles),
            "style_weights": self.style_shares,
            "size": "x".join(map(str, self.content.shape[1::-1])),
        }


def fingerprint(arrays: Sequence[np.ndarray]) -> str:
    """Returns 16 hexadecimal digits that differ where shapes or values do."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _style_shares(weights: Sequence[float] | None, styles: int) -> list[float]:
    weights = [1.0] * styles if weights is None else list(weights)
    if not styles:
        raise InputError("no style is given: give at least one picture")
    if len(weights) != styles:
        raise InputError(f"{len(weights)} style weights for {styles} styles: give one for each")
    for weight in weights:
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"a style weight is {weight}: give a number above 0")
    return [weight / math.fsum(weights) for weight in weights]


def _picture(name: str, picture: Any) -> Picture:
    taken = images.as_picture(picture, name)
    if min(taken.shape[:2]) < MIN_SIDE:
        size = f"{taken.shape[1]}x{taken.shape[0]}"
        raise InputError(f"{name} is {size} px: both sides must be at least {MIN_SIDE} px")
    # The caller may change the array during a run.
    return taken.copy()


def _halved(picture: Picture, times: int, min_side: int = 1) -> Picture:
    if not times:
        return picture
    height, width = picture.shape[:2]
    factor = max(1 / 2**times, min(1.0, min_side / min(height, width)))
    return images.resize(picture, round(height * factor), round(width * factor))
