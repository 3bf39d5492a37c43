"""A frame of a clip and what is known of the clip beforehand, for readers and writers."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from toolkit.errors import InputError, WorkError


@dataclass(frozen=True)
class ClipFrame:
    """A frame as it is shown.

    Attributes:
        samples: uint8 RGB, shape [H, W, 3]: upright, of square pixels, opaque.
        time: when it is shown, in seconds from the start of what is read.
        seconds: how long it is shown.
    """

    samples: np.ndarray
    time: Fraction
    seconds: Fraction


@dataclass(frozen=True)
class Span:
    """The part of a clip to read.

    Attributes:
        start: its first second; 0 for the clip's own start.
        end: the second at which it ends; None for the clip's own end.
        fps: at most so many frames a second are taken; None for all.

    Raises:
        InputError: the part is empty, or a number is out of range.
    """

    start: float = 0.0
    end: float | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.start < 0:
            raise InputError(f"--start is {self.start:g}: give a second from 0")
        if self.end is not None and self.end <= self.start:
            raise InputError(f"--end is {self.end:g}, and --start {self.start:g}: nothing lies between")
        if self.fps is not None and not 0.01 <= self.fps <= 1000:
            raise InputError(f"--fps is {self.fps:g}: give frames a second from 0.01 to 1000")

    @property
    def origin(self) -> Fraction:
        """The first second as it was meant: 0.2 is a fifth, not the nearest binary number."""
        return _meant(self.start)

    def count(self, seconds: float, rate: float) -> int | None:
        """Estimates how many frames a clip of a length and a rate has in this part; None if the length is unknown."""
        if seconds <= 0 or rate <= 0:
            return None
        end = seconds if self.end is None else min(self.end, seconds)
        return max(1, round((end - self.start) * min(rate, self.fps or rate)))


def _meant(number: float) -> Fraction:
    return Fraction(number).limit_denominator(1_000_000)


class Pace:
    """Chooses the frames of a part, by their times."""

    def __init__(self, span: Span) -> None:
        self._span, self._next = span, Fraction(0)

    def is_over(self, time: Fraction) -> bool:
        """Returns whether a time, in seconds of the clip, is behind the part."""
        return self._span.end is not None and time >= _meant(self._span.end)

    def takes(self, time: Fraction) -> bool:
        """Returns whether the frame of a time is taken."""
        since = time - self._span.origin
        if since < 0 or since < self._next:
            return False
        if self._span.fps is not None:
            step = 1 / _meant(self._span.fps)
            self._next = (since // step + 1) * step
        return True


class BrokenClipError(WorkError):
    """A clip is broken in the middle; the frames before have been read."""
