"""The interfaces of stylizers: `Stylizer`, its variant with a bottleneck, and its variant with a built-in style."""

import abc
from typing import Any, Protocol, runtime_checkable

import numpy as np

from toolkit.errors import InputError


class Stylizer(Protocol):
    """A stylizer that takes a style picture."""

    def __call__(self, content: np.ndarray, style: np.ndarray, strength: float | None = None) -> Any:
        """Repaints pictures in the style of other pictures.

        Args:
            content: [B, H, W, 3] float32 in [0, 1], sides from 16 pixels.
            style: [B or 1, h, w, 3], in the same form.
            strength: in [0, 1], from the content's own style (0) to the given style (1, the default); an end-to-end
                model supports only 1.

        Returns:
            [B, H, W, 3] float32 in [0, 1].
        """
        ...


@runtime_checkable
class BottleneckStylizer(Stylizer, Protocol):
    """A stylizer of a predictor and a transformer: a style is read once for many contents at any strength."""

    def bottleneck(self, style: np.ndarray) -> Any:
        """Returns the bottleneck [B, 1, 1, D] of style pictures [B, h, w, 3]."""
        ...

    def transform(self, content: np.ndarray, bottleneck: Any) -> Any:
        """Returns content pictures [B, H, W, 3] in the style of a bottleneck [B or 1, 1, 1, D]."""
        ...


class SingleStyleStylizer(abc.ABC):
    """A stylizer with a built-in style. A base class, because a protocol cannot check the number of arguments."""

    @abc.abstractmethod
    def __call__(self, content: np.ndarray) -> Any:
        """Repaints pictures [B, H, W, 3] in the built-in style; see `Stylizer`."""


def refuse_strength(strength: float | None) -> None:
    """Refuses a strength below 1, for an end-to-end model."""
    if strength is not None and strength != 1:
        raise InputError(
            f"strength is {strength:g}: an end-to-end model supports only 1; if it has a bottleneck, give --split-at"
        )
