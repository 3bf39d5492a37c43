"""What every stylizer can do: `Stylizer`, its variant with a bottleneck, and its variant that takes no style."""

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
            style: likewise [B or 1, h, w, 3].
            strength: in [0, 1], from the content's own style to the style's (the default); an end-to-end model has
                none but 1.

        Returns:
            [B, H, W, 3] float32 in [0, 1].
        """
        ...


@runtime_checkable
class BottleneckStylizer(Stylizer, Protocol):
    """A stylizer of a predictor and a transformer: a style is read once, and serves many contents at any strength."""

    def bottleneck(self, style: np.ndarray) -> Any:
        """Returns the bottleneck [B, 1, 1, D] of style pictures [B, h, w, 3]."""
        ...

    def transform(self, content: np.ndarray, bottleneck: Any) -> Any:
        """Returns content pictures [B, H, W, 3] in the style of a bottleneck [B or 1, 1, 1, D]."""
        ...


class SingleStyleStylizer(abc.ABC):
    """A stylizer that has its style inside. A base class: a protocol does not see how many arguments a call takes."""

    @abc.abstractmethod
    def __call__(self, content: np.ndarray) -> Any:
        """Repaints pictures [B, H, W, 3] in the style that is inside; see `Stylizer`."""


def refuse_strength(strength: float | None) -> None:
    """Refuses a strength below 1, on behalf of an end-to-end model."""
    if strength is not None and strength != 1:
        raise InputError(
            f"strength is {strength:g}: an end-to-end model has none but 1; "
            "where it has a bottleneck, --split-at names it"
        )
