"""A few steps of optimization from a picture that the feed-forward network has painted."""

from pathlib import Path

from toolkit import images, memory
from toolkit.images import Picture
from toolkit.transfer import StyleTransfer
from toolkit.vgg19 import CONTENT_LAYERS, VGG19Features


class Refiner:
    """Brings stylized pictures closer to their style by optimization (Gatys et al. 2015), with its defaults.

    Args:
        steps: for each picture, at least 1.
        preserve_color: the content's colors are kept.
    """

    def __init__(self, steps: int, preserve_color: bool = False) -> None:
        self._steps, self._preserve_color = steps, preserve_color
        self._features = VGG19Features()

    def refine(self, content: Picture, style: Path, stylized: Picture) -> Picture:
        """Refines one picture.

        Args:
            content: float32 RGB in [0, 1], shape [H, W, 3], sides from 32 pixels.
            style: path of the style picture, which is reduced to the content's longer side.
            stylized: where the steps begin, of the content's shape.

        Returns:
            A picture of the content's shape.

        Raises:
            InputError: the content is too small, or there is too little memory for its size.
        """
        height, width = content.shape[:2]
        need = memory.estimate(height, width, CONTENT_LAYERS[-1], memory.PICTURES["lbfgs"])
        memory.check(need, "a smaller --max-size")
        transfer = StyleTransfer(self._features, start=stylized, preserve_color=self._preserve_color)
        transfer.fit(content, images.load_image(style, max(height, width)), 1, self._steps, verbose=0)
        return transfer.image
