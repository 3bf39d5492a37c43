"""Paints a clip from file to file: a video or an animation, frame by frame, in memory of a fixed size."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError
from toolkit.files.opening import open_file
from toolkit.imaging.formats.file_types import video_demuxer
from toolkit.imaging.picture import to_uint8
from toolkit.interface.stylize_options import StylizeOptions
from toolkit.interface.stylizer import SingleStyleStylizer, Stylizer
from toolkit.video.animation_reading import AnimationReader, open_animation
from toolkit.video.clip_frames import BrokenClipError, ClipFrame, Span
from toolkit.video.clip_reading import ClipReader, open_clip
from toolkit.video.clip_writing import keeps_sound, new_clip
from toolkit.video.stylized_frames import SMOOTH, stylize_frames


@dataclass(frozen=True)
class StylizedClip:
    """A painted clip.

    Attributes:
        count: number of its frames.
        total: number of frames that the source was said to have; None if it did not say.
        stopped: whether it was stopped before its end.
        broken: why the source could not be read further; None if it was read to its end.
        lost_sound: whether the source has sound that the format cannot hold.
    """

    count: int
    total: int | None
    stopped: bool
    broken: str | None
    lost_sound: bool


@contextmanager
def open_source(clip: str | Path, span: Span) -> Iterator[ClipReader | AnimationReader]:
    """Opens a video or an animated picture by its first bytes; raises an InputError for anything else."""
    try:
        stream = open_file(clip)
    except (OSError, ValueError) as error:  # a name with a NUL raises ValueError
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {clip}: {reason}; give a clip that can be read") from error
    with stream:
        demuxer = video_demuxer(stream)
        with (
            open_clip(stream, str(clip), demuxer, span)
            if demuxer
            else open_animation(stream, str(clip), span) as reader
        ):
            yield reader


def stylize_clip(
    clip: str | Path,
    output: str | Path,
    style: Any = None,
    model: Stylizer | SingleStyleStylizer | str | Path = "magenta-mobile",
    options: StylizeOptions | None = None,
    span: Span | None = None,
    smooth: float = SMOOTH,
    progress: Callable[[int, int | None], None] = lambda count, total: None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> StylizedClip:
    """Paints a clip; times and sound are kept.

    Args:
        clip: a video (MP4, MOV, WebM, MKV) or an animated GIF, WebP, PNG or AVIF.
        output: a video (MP4, MOV, WebM, MKV) or an animation (GIF, WebP, which hold no sound). It appears there once it
            is whole.
        style: as for `stylize_frames`.
        model: as for `stylize_frames`.
        options: as for `stylize_frames`.
        span: the part to paint; by default all.
        smooth: as for `stylize_frames`.
        progress: called with the number of painted frames, and that of all if it is known.
        is_stopped: asked after each frame; where it holds, the clip ends there.

    Returns:
        What was painted. Of a clip that is broken in its middle, the frames before are.

    Raises:
        InputError: the clip cannot be read, holds no frame, or one that is too small or too large; or the output cannot
            be written.
        WorkError: the disk is full.
    """
    output, stopped, broken = Path(output), False, None
    with open_source(clip, span or Span()) as source:
        sounds = source.sounds if keeps_sound(output) else ()
        with new_clip(output, source.rate, sounds, source.loop) as writer:
            waiting: deque[ClipFrame] = deque()
            frames = source.frames(writer.copy_sound if sounds else None)
            try:
                for picture in stylize_frames(_samples(frames, waiting), style, model, options, smooth):
                    frame = waiting.popleft()
                    writer.write(to_uint8(picture), frame.time, frame.seconds)
                    progress(writer.count, source.count)
                    if is_stopped():
                        stopped = True
                        break
            except BrokenClipError as error:
                broken = str(error)
            if not writer.count:
                why = f"it is broken ({broken}); give an undamaged copy" if broken else "there is no frame in this part"
                raise InputError(f"cannot paint {clip}: {why}")
        return StylizedClip(writer.count, source.count, stopped, broken, bool(source.sounds and not sounds))


def _samples(frames: Iterator[ClipFrame], waiting: deque[ClipFrame]) -> Iterator[np.ndarray]:
    """Yields the samples of frames, and keeps the frames for the writer."""
    for frame in frames:
        waiting.append(frame)
        yield frame.samples
