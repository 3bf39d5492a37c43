"""Makes the README's moving picture: a view that glides over the sample cat, and its painting (`make clip`)."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from toolkit.imaging import images, samples
from toolkit.video import stylize_frames
from toolkit.video.clip_writing import new_clip

# Height and width of the view, in pixels, the frames of one way, and those a second.
VIEW = (180, 240)
COUNT = 18
RATE = 12


def view(index: int) -> images.Picture:
    """The view at a step of its way there and back."""
    share = 0.5 - 0.5 * np.cos(np.pi * index / COUNT)
    photo = images.resize(samples.photos()["chelsea"], 230, 346)
    top, left = round(share * (230 - VIEW[0])), round(share * (346 - VIEW[1]))
    return photo[top : top + VIEW[0], left : left + VIEW[1]]


def main() -> None:
    """Writes the WebP that the command line names."""
    views = [view(index) for index in range(2 * COUNT)]
    # Once around first, so that the loop has no seam.
    painted = list(stylize_frames([*views, *views], samples.styles()["starry_night"]))[len(views) :]
    with new_clip(Path(sys.argv[1]), Fraction(RATE)) as clip:
        for index, pair in enumerate(zip(views, painted, strict=True)):
            clip.write(images.to_uint8(np.hstack(pair)), Fraction(index, RATE), Fraction(1, RATE))


if __name__ == "__main__":
    main()
