"""The interface of stylizers with a built-in style."""

import abc
from typing import Any

import numpy as np


class SingleStyleStylizerLike(abc.ABC):
    """A stylizer that takes no style picture: content in, picture out."""

    @abc.abstractmethod
    def __call__(self, content: np.ndarray) -> Any:
        """Repaints pictures in the style that is inside.

        Args:
            content: [B, H, W, 3] float32 in [0, 1], sides from 16 pixels.

        Returns:
            [B, H, W, 3] float32 in [0, 1].
        """
