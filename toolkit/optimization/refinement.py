"""Refines the pictures of a feed-forward network by a few steps of optimization."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.framework.backend import keras
from toolkit.imaging import images
from toolkit.imaging.images import Picture
from toolkit.optimization.features.vgg19 import CONTENT_LAYERS, VGG19Features
from toolkit.optimization.interrupts import Interrupted
from toolkit.optimization.style_transfer import StyleTransfer
from toolkit.process import memory


@dataclass(frozen=True)
class Refined:
    """A picture [H, W, 3] float32 in [0, 1], and the number of steps before Ctrl-C stopped them, or None."""

    picture: Picture
    stopped_after: int | None = None


class Refiner:
    """Brings pictures closer to their style by `steps` of optimization (Gatys et al. 2015) with default settings."""

    def __init__(
        self, steps: int, preserve_color: bool = False, callbacks: Sequence[keras.callbacks.Callback] = ()
    ) -> None:
        self._steps, self._preserve_color, self._callbacks = steps, preserve_color, callbacks
        self._features = VGG19Features()

    def refine(self, content: Picture, style: Path, stylized: Picture) -> Refined:
        """Refines one picture; Ctrl-C stops after a step and keeps the picture, a second Ctrl-C raises at once.

        Args:
            content: float32 RGB in [0, 1], shape [H, W, 3], sides from 32 pixels.
            style: path of the style picture, which is reduced to the content's longer side.
            stylized: the initial picture, of the content's shape.

        Returns:
            A picture of the content's shape, and the number of steps if Ctrl-C stopped them.

        Raises:
            InputError: the content is too small, or there is too little memory for its size.
        """
        height, width = content.shape[:2]
        need = memory.estimate(height, width, CONTENT_LAYERS[-1], memory.PICTURES["lbfgs"])
        memory.check(need, "a smaller --max-size")
        transfer = StyleTransfer(self._features, init_image=stylized, preserve_color=self._preserve_color)
        style_picture = images.load_image(style, max(height, width))
        try:
            transfer.fit(content, style_picture, 1, self._steps, callbacks=self._callbacks, verbose=0)
        except Interrupted:
            return Refined(transfer.image, len(transfer.curve))
        except KeyboardInterrupt:
            if transfer.curve:  # the second Ctrl-C
                raise
            return Refined(stylized, 0)  # while the graph was built
        return Refined(transfer.image)
