"""Runs an exported .tflite or .onnx file with a built-in style."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.imaging.letterbox import paint_timed
from toolkit.imaging.validation import Pictures, as_picture, as_pictures
from toolkit.interface.stylizer import SingleStyleStylizer
from toolkit.process import memory
from toolkit.process.stage_times import StageClock, Timed
from toolkit.runtimes.litert import network_file, open_network

BAKED_FILE = "baked.tflite"


class BakedStylizer(Timed, SingleStyleStylizer):
    """An exported network with a built-in style.

    For a fixed-size model, other pictures are scaled to fit and padded by mirroring, and the result is cropped and
    scaled back. Pictures may have any form, and threads may share a stylizer, as with
    `toolkit.runtimes.litert.DeviceStylizer`.

    Args:
        folder: the folder with `baked.tflite` or `baked.onnx`.
        runtime: of a .tflite file: `auto` (LiteRT, else tflite-runtime), `litert` or `tflite-runtime`.
        threads: CPU threads; all cores by default.
        isolated: see `toolkit.runtimes.litert.DeviceStylizer`.

    Attributes:
        times: stage times of this thread's last call, or of the last frame in `stylize_frames`.

    Raises:
        InputError: the file is missing, damaged or not a network with a built-in style, or no runtime is installed.

    Example:
        ```python
        stylizer = BakedStylizer("bundle/tflite/baked_starry-night_float16_384")
        picture = stylizer(content)  # [1, H, W, 3] float32 in [0, 1] -> [1, H, W, 3]
        ```
    """

    def __init__(
        self, folder: str | Path, runtime: str = "auto", threads: int | None = None, isolated: bool = False
    ) -> None:
        self._network = open_network(network_file(Path(folder), BAKED_FILE), runtime, threads, isolated)
        self._network.check_role("transformer of one style", {"content_image"}, "stylized_image")
        self.content_size = self._network.input_size("content_image")
        self.pixel_cost = memory.of_pair(self.content_size is not None)
        super().__init__()

    def __call__(self, content: Pictures) -> np.ndarray:
        """Repaints pictures in the built-in style.

        Args:
            content: pictures [B, H, W, 3] in [0, 1], in any form, sides from 16 pixels.

        Returns:
            [B, H, W, 3] float32 in [0, 1].

        Raises:
            InputError: the shape, dtype or range is wrong.
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
