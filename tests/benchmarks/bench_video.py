"""Clips of 384 pixels, plain and smoothed: flicker as the warping error, along the true flow, and time."""

import statistics
import time
from collections.abc import Iterable, Iterator
from typing import Any

from tests.benchmarks.figures import Figure
from tests.toolkit.video.made_clips import CLIPS, warping_error
from toolkit.imaging import images, samples
from toolkit.runtimes.litert import DeviceStylizer
from toolkit.video.stylized_frames import SMOOTH, stylize_frames

THREADS = 2
# Frames of a clip that are timed; in turns, so that a busy machine slows both sides alike.
TIMED = 60


def _next_seconds(painted: Iterator[Any]) -> float:
    started = time.perf_counter()
    next(painted)
    return time.perf_counter() - started


def _time_ratio(model: DeviceStylizer, style: images.Picture) -> float:
    """The median time of a smoothed frame over that of a plain one, frame after frame."""
    frames = [frame.picture for frame in CLIPS["pan"]()]
    there_and_back: Iterable[images.Picture] = [*frames, *frames[-2:0:-1]] * (1 + TIMED // len(frames))
    plain = stylize_frames(iter(there_and_back), style, model, smooth=0)
    smoothed = stylize_frames(iter(there_and_back), style, model)
    for _ in range(3):
        next(plain), next(smoothed)
    ratios = []
    for _ in range(TIMED):
        seconds = _next_seconds(plain)
        ratios.append(_next_seconds(smoothed) / seconds)
    return statistics.median(ratios)


def measure() -> Iterator[Figure]:
    """Yields each figure as it is known."""
    model, style = DeviceStylizer.from_preset("magenta-mobile", threads=THREADS), samples.styles()["starry_night"]
    for name, clip in CLIPS.items():
        frames = list(clip())
        plain, smoothed = (
            warping_error(
                list(stylize_frames((frame.picture for frame in frames), style, model, smooth=smooth)), frames
            )
            for smooth in (0, SMOOTH)
        )
        yield Figure(f"video.{name}_plain_warping_error", plain, 1)
        yield Figure(f"video.{name}_smoothed_warping_error", smoothed, 0.4 * plain)
        yield Figure(f"video.{name}_flicker_ratio", smoothed / plain, 0.4)
    yield Figure("video.smoothed_384_time_ratio", _time_ratio(model, style), 1.15)
