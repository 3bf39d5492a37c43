"""Runs an exported .tflite of one style on LiteRT or tflite-runtime: content in, picture out."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.imaging.letterbox import paint_timed
from toolkit.imaging.validation import Pictures, as_picture, as_pictures
from toolkit.interface.stylizer import SingleStyleStylizer
from toolkit.process import memory
from toolkit.process.stage_times import StageClock, Timed
from toolkit.runtimes.litert import open_network

BAKED_FILE = "baked.tflite"


class BakedStylizer(Timed, SingleStyleStylizer):
    """An exported network with its style inside.

    Pictures of another size than a fixed-size model takes are scaled to fit, mirrored up to its size, and the
    result cut and scaled back.

    Takes pictures, and may be shared by threads, as `toolkit.runtimes.litert.DeviceStylizer` does and may.

    Args:
        folder: holds `baked.tflite`.
        runtime: `auto` (LiteRT, else tflite-runtime), `litert` or `tflite-runtime`.
        threads: CPU threads; all cores by default.
        isolated: see `toolkit.runtimes.litert.DeviceStylizer`.

    Attributes:
        times: what the stages of this thread's last call took; of `stylize_frames`, of the last frame.

    Raises:
        InputError: the file is missing, damaged or not of one style, or no runtime is installed.

    Example:
        ```python
        stylizer = BakedStylizer("bundle/tflite/baked_starry-night_float16_384")
        picture = stylizer(content)  # [1, H, W, 3] float32 in [0, 1] -> [1, H, W, 3]
        ```
    """

    def __init__(
        self, folder: str | Path, runtime: str = "auto", threads: int | None = None, isolated: bool = False
    ) -> None:
        self._network = open_network(Path(folder) / BAKED_FILE, runtime, threads, isolated)
        self._network.check_role("transformer of one style", {"content_image"}, "stylized_image")
        self.content_size = self._network.input_size("content_image")
        self.pixel_cost = memory.of_pair(self.content_size is not None)
        super().__init__()

    def __call__(self, content: Pictures) -> np.ndarray:
        """Repaints pictures in the style that is inside.

        Args:
            content: pictures [B, H, W, 3] in [0, 1], in any form, sides from 16 pixels.

        Returns:
            [B, H, W, 3] float32 in [0, 1].

        Raises:
            InputError: the shape, dtype or range is another.
        """
        clock = StageClock()
        content = as_pictures(content, "content")
        painted = np.stack([paint_timed(self.content_size, picture, clock, self._paint) for picture in content])
        self._stop(clock)
        return painted

    def stylize_frames(self, frames: Iterable[Any]) -> Iterator[np.ndarray]:
        """Repaints the frames of a video or a camera one by one.

        Args:
            frames: pictures [H, W, 3] in [0, 1], in any form, sides from 16 pixels.

        Yields:
            Each frame as soon as it is painted, [H, W, 3] float32 in [0, 1].
        """
        for frame in frames:
            yield self(as_picture(frame, "the frame"))[0]

    def _paint(self, picture: np.ndarray) -> np.ndarray:
        return self._network(content_image=picture[np.newaxis])[0]
