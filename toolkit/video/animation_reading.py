"""Reads animated pictures with Pillow: GIF, WebP, PNG and AVIF."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from toolkit.errors import InputError
from toolkit.imaging import decoding
from toolkit.imaging.picture import check_size
from toolkit.process import memory
from toolkit.video.clip_frames import BrokenClipError, ClipFrame, Pace, Span

# As browsers have it, frames of no or of hardly any time are shown for a tenth of a second.
_LEAST_MILLISECONDS, _USUAL_MILLISECONDS = 20, 100


class AnimationReader:
    """An open animation.

    Attributes:
        rate: frames a second, by its first frame.
        count: how many frames the part has.
        sounds: none.
        loop: how often it is shown; 0 for ever.
    """

    sounds: tuple[Any, ...] = ()

    def __init__(self, image: Image.Image, name: str, span: Span) -> None:
        self._image, self._name, self._span = image, name, span
        check_size(*image.size, name)
        memory.check(memory.painting(name, image.height, image.width, decoding.BYTES_PER_PIXEL), "a smaller clip")
        seconds = _seconds(image)
        self.rate = 1 / seconds
        self.loop = int(image.info.get("loop", 1))
        total: int = getattr(image, "n_frames", 1)
        if total == 1:
            raise InputError(f"cannot paint {name} as a clip: it is a picture; paint it with `styleport stylize`")
        self.count = span.count(float(total * seconds), float(self.rate))

    def frames(self, copy_sound: Callable[[Any, Fraction], None] | None = None) -> Iterator[ClipFrame]:
        """Yields the frames of the part, in order; an animation has no sound.

        Raises:
            BrokenClipError: a frame is broken.
        """
        pace, time, index = Pace(self._span), Fraction(0), 0
        while (samples := self._frame(index)) is not None and not pace.is_over(time):
            seconds = _seconds(self._image)
            if pace.takes(time):
                yield ClipFrame(samples, time - self._span.origin, seconds)
            time, index = time + seconds, index + 1

    def _frame(self, index: int) -> np.ndarray | None:
        """The samples of a frame; None behind the last."""
        try:
            with decoding.errors_of(self._name):
                try:
                    self._image.seek(index)
                except EOFError:
                    return None
                return decoding.frame_samples(self._image, self._name)
        except InputError as error:
            raise BrokenClipError(str(error)) from error


@contextmanager
def open_animation(stream: BinaryIO, name: str, span: Span) -> Iterator[AnimationReader]:
    """Opens an animated picture.

    Args:
        stream: the open file.
        name: its name in messages.
        span: the part to read.

    Raises:
        InputError: it cannot be read.
    """
    with decoding.errors_of(name, stream):
        image = decoding.open_checked(stream, name)
        reader = AnimationReader(image, name, span)
    with image:
        yield reader


def _seconds(image: Image.Image) -> Fraction:
    milliseconds = Fraction(image.info.get("duration") or 0).limit_denominator(1000)
    return (milliseconds if milliseconds >= _LEAST_MILLISECONDS else Fraction(_USUAL_MILLISECONDS)) / 1000
