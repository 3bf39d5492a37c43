"""Creates the initial picture of a run: the content, noise, the feed-forward result, or a given picture."""

from pathlib import Path

import numpy as np

from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.imaging import images
from toolkit.imaging.images import Picture
from toolkit.interface.sizes import STYLE_SIZE
from toolkit.optimization.problem import Problem
from toolkit.process import memory

NAMED = ("content", "noise", "stylized")
# Paints the start `stylized`.
PRESET = "magenta-mobile"

InitImage = str | Path | np.ndarray


def is_named(init_image: InitImage) -> bool:
    """Returns whether a start is a name in `NAMED`, not a picture or a path."""
    return isinstance(init_image, str) and init_image in NAMED


def first_picture(init_image: InitImage, problem: Problem, scale: int, seed: int) -> Picture:
    """Returns the picture before the first step.

    Args:
        init_image: one of `NAMED`, a file, or a picture [h, w, 3] in [0, 1].
        problem: the run's content and styles.
        scale: how often both sides of the content are halved.
        seed: seed of the noise.

    Returns:
        Float32 RGB in [0, 1], of the content's size at that scale.

    Raises:
        InputError: the file is not a picture, or there is too little memory for the network.
    """
    content = problem.at(scale)[0]
    if not is_named(init_image):
        return images.resize(images.load_image(init_image), *content.shape[:2])
    if init_image == "noise":
        return np.random.default_rng(seed).random(content.shape, np.float32)
    return stylized(problem, content) if init_image == "stylized" else content


def stylized(problem: Problem, content: Picture) -> Picture:
    """Paints a content with the embedded feed-forward network, in a problem's styles, mixed by their shares."""
    stylizer = KerasStylizer.from_preset(PRESET)
    memory.check_painting(stylizer, content.shape[:2])
    bottlenecks = [
        np.asarray(stylizer.bottleneck(images.center_crop_resize(style, STYLE_SIZE)[None])) for style in problem.styles
    ]
    mixed = np.average(bottlenecks, axis=0, weights=problem.style_shares).astype(np.float32)
    return np.asarray(stylizer.transform(content[None], mixed))[0]
