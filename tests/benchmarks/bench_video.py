"""Clips of 384 pixels, plain and smoothed: flicker as the warping error, along the true flow, and processor time."""

import statistics
import sys
import time
from collections.abc import Iterator

from tests.benchmarks.figures import Figure
from tests.toolkit.video.made_clips import CLIPS, warping_error
from toolkit.imaging import images, samples
from toolkit.runtimes.litert import DeviceStylizer
from toolkit.video.stylized_frames import SMOOTH, stylize_frames

THREADS = 2
# Frames that are timed, in turns.
TIMED = 60


def _processor_seconds(model: DeviceStylizer, style: images.Picture) -> dict[float, float]:
    """The median processor time of a frame for each share of smoothing, of all threads: others do not add to it."""
    frames = [frame.picture for frame in CLIPS["pan"]()]
    there_and_back = [*frames, *frames[-2:0:-1]] * (1 + TIMED // len(frames))
    runs = {smooth: stylize_frames(iter(there_and_back), style, model, smooth=smooth) for smooth in (0.0, SMOOTH)}
    seconds: dict[float, list[float]] = {smooth: [] for smooth in runs}
    for _ in range(TIMED):
        for smooth, painted in runs.items():
            started = time.process_time()
            next(painted)
            seconds[smooth].append(time.process_time() - started)
    return {smooth: statistics.median(measured) for smooth, measured in seconds.items()}


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
        sys.stderr.write(f"video: the warping error of {name} is {plain:.4f}, smoothed {smoothed:.4f}\n")
        yield Figure(f"video.{name}_flicker_ratio", smoothed / plain, 0.4)
    seconds = _processor_seconds(model, style)
    yield Figure("video.smoothed_384_processor_time_ratio", seconds[SMOOTH] / seconds[0.0], 1.15)
