"""Paints a picture from the file with any form of the stylizer: style squared, strength, colours."""

from typing import Any

import numpy as np

from toolkit import images
from toolkit.bottleneck import interpolate
from toolkit.errors import InputError
from toolkit.images import Picture
from toolkit.look import Look
from toolkit.models import SplitStylizerLike, StylizerLike


class Painter:
    """Paints pictures with one model.

    Args:
        model: any form of the stylizer.
        look: how pictures are read and painted.

    Raises:
        InputError: a strength below 1 is asked of a model in one piece.
    """

    def __init__(self, model: StylizerLike, look: Look) -> None:
        self.look = look
        self._split = model if isinstance(model, SplitStylizerLike) else None
        self._whole = model
        if self._split is None and look.strength < 1:
            raise InputError(
                f"strength is {look.strength:g}: a model in one piece has none but 1; "
                "where it has a bottleneck, --split-at names it"
            )

    def read_style(self, picture: Picture) -> np.ndarray:
        """Makes of a style picture what `paint` takes, once for any number of contents.

        Args:
            picture: float32 RGB in [0, 1], shape [H, W, 3].

        Returns:
            The bottleneck [1, 1, 1, D], or the square picture [1, S, S, 3] where the model has no bottleneck.
        """
        square = images.square(picture, self.look.style_size)[None]
        return np.asarray(self._split.bottleneck(square)) if self._split else square

    def paint(self, content: Picture, style: np.ndarray) -> Picture:
        """Paints one picture.

        Args:
            content: float32 RGB in [0, 1], shape [H, W, 3].
            style: as `read_style` makes it.

        Returns:
            A new picture of the same form and size.
        """
        stylized = self._stylized(content, style)
        return images.preserve_color(content, stylized) if self.look.preserve_color else stylized

    def _stylized(self, content: Picture, style: Any) -> Picture:
        if self._split is None:
            return np.asarray(self._whole(content[None], style))[0]
        if self.look.strength < 1:
            # The content is shown to the predictor as a style is: all forms of the model then agree.
            own = self._split.bottleneck(images.square(content, self.look.style_size)[None])
            style = interpolate(own, style, self.look.strength)
        return np.asarray(self._split.transform(content[None], style))[0]
