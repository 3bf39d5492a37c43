"""Stylizes picture files with any form of the stylizer: decodes, paints at a detail, keeps colors, writes."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.imaging.decoding import opened_picture, refuse_animation
from toolkit.imaging.images import Picture
from toolkit.imaging.photo_metadata import PhotoMetadata, read_metadata
from toolkit.interface.bottleneck import interpolate
from toolkit.interface.detail import paint_at_detail, painted_size
from toolkit.interface.stylize_options import StylizeOptions
from toolkit.interface.stylizer import BottleneckStylizer, SingleStyleStylizer, Stylizer, refuse_strength
from toolkit.process import memory
from toolkit.process.stage_times import StageTimes

# More styles than are in use at a time; for an end-to-end model, each is a picture of 0.8 MB.
_KEPT_STYLES = 256


@dataclass(frozen=True)
class EncodedStyle:
    """A style in the model's form, from `ImageStylizer.read_style`.

    Attributes:
        values: bottleneck [1, 1, 1, D], or square picture [1, S, S, 3]; None for a model with a built-in style.
    """

    values: np.ndarray | None


@dataclass(frozen=True)
class StylizedImage:
    """A stylized picture.

    Attributes:
        picture: float32 RGB in [0, 1], shape [H, W, 3].
        content: the original picture, of the same form and size.
        metadata: the metadata to keep; None if the content was not a file.
        times: stage times of the model, including a new style's; None if the model does not report them.
    """

    picture: Picture
    content: Picture
    metadata: PhotoMetadata | None = None
    times: StageTimes | None = None

    def encode(self, path: str | Path) -> bytes:
        """Returns the bytes that `save` writes, for callers with their own storage."""
        return images.encode_image(self.picture, path, metadata=self.metadata)

    def save(self, path: str | Path) -> None:
        """Writes the picture with the photo's metadata, atomically; see `toolkit.imaging.images`."""
        images.save_image(self.picture, path, metadata=self.metadata)


class ImageStylizer:
    """Stylizes pictures with one model; threads may share it.

    Args:
        model: any form of the stylizer, from `toolkit.inference.model_loader.open_model`.
        options: how pictures are read and painted.
        open_file: opens a path, for pictures on other file systems.

    Raises:
        InputError: the strength is below 1 for an end-to-end model.

    Example:
        ```python
        stylizer = ImageStylizer(open_model("magenta-mobile"), StylizeOptions(strength=0.7))
        stylizer.stylize("photo.jpg", "painting.jpg").save("painted.jpg")
        ```
    """

    def __init__(
        self,
        model: Stylizer | SingleStyleStylizer,
        options: StylizeOptions | None = None,
        open_file: Callable[[Any], AbstractContextManager[BinaryIO]] = opened_picture,
    ) -> None:
        self.options = options or StylizeOptions()
        self._model, self._open_file = model, open_file
        self._styles: dict[str, EncodedStyle] = {}
        self._lock = threading.Lock()
        if not self.has_strength and not isinstance(model, SingleStyleStylizer):
            refuse_strength(self.options.strength)

    @property
    def has_strength(self) -> bool:
        """Whether the model supports a strength below 1."""
        return isinstance(self._model, BottleneckStylizer)

    def read_style(self, style: Any) -> EncodedStyle:
        """Reads a style: crops it to a square, and passes it to the predictor if the model has one.

        Args:
            style: a path, whose style is cached; or a picture, as for `toolkit.imaging.images.center_crop_resize`.

        Returns:
            The style for any number of `stylize` calls.

        Raises:
            InputError: it cannot be read, there is too little memory for it, or the model has a built-in style.
        """
        return self._encoded(style, [])

    def stylize(self, content: Any, style: Any = None) -> StylizedImage:
        """Stylizes one picture: painted at the detail if it is larger, and enlarged to its own size.

        Args:
            content: a path, or a picture, as for `toolkit.imaging.images.load_image`.
            style: as for `read_style`, or its result; None for a model with a built-in style.

        Returns:
            The picture, with its metadata.

        Raises:
            InputError: a picture cannot be read, there is too little memory for its size, or the style is missing.
        """
        times: list[StageTimes] = []
        encoded = self._encoded(style, times)
        picture, metadata = self._read_content(content)
        stylized = self._stylized(picture, encoded, times)
        return StylizedImage(stylized, picture, metadata, sum(times[1:], times[0]) if times else None)

    def _encoded(self, style: Any, times: list[StageTimes]) -> EncodedStyle:
        if isinstance(style, EncodedStyle):
            return style
        if isinstance(self._model, SingleStyleStylizer):
            if style is not None:
                raise InputError("the model has a built-in style, and takes no other")
            return EncodedStyle(None)
        if style is None:
            raise InputError("no style is given, and the model has none built in: give a style picture")
        if not isinstance(style, str | Path):
            return self._encode(style, times)
        with self._lock:  # so that no style is read twice
            if str(style) not in self._styles:
                if len(self._styles) == _KEPT_STYLES:
                    del self._styles[next(iter(self._styles))]
                self._styles[str(style)] = self._encode(style, times)
            return self._styles[str(style)]

    def _encode(self, style: Any, times: list[StageTimes]) -> EncodedStyle:
        memory.check_painting(self._model, style_side=self.options.style_size)
        if isinstance(style, str | Path):
            with self._open_file(style) as stream:
                style = images.decode_image(stream, str(style), min_side=self.options.style_size)
        return EncodedStyle(self._bottleneck(style, times))

    def _bottleneck(self, picture: Any, times: list[StageTimes]) -> np.ndarray:
        """The bottleneck of a picture; for an end-to-end model, its center square."""
        square = images.center_crop_resize(picture, self.options.style_size)[None]
        if isinstance(self._model, BottleneckStylizer):
            return self._run(times, self._model.bottleneck, square)
        return square

    def _read_content(self, source: Any) -> tuple[Picture, PhotoMetadata | None]:
        max_size = self.options.max_size
        if not isinstance(source, str | Path):
            return images.load_image(source, max_size), None
        with self._open_file(source) as stream:
            refuse_animation(stream, str(source))
            stream.seek(0)
            width, height = images.stored_size(stream, str(source), max_size)
            memory.check(memory.enlarging(height, width), "a smaller --max-size")
            stream.seek(0)
            picture = images.decode_image(stream, str(source), max_size)
            stream.seek(0)
            return picture, read_metadata(stream)

    def _stylized(self, content: Picture, style: EncodedStyle, times: list[StageTimes]) -> Picture:
        return self.at_detail(content, lambda small: self.paint(small, self.mixed(style, small, times), times))

    def at_detail(self, content: Picture, paint: Callable[[Picture], np.ndarray]) -> Picture:
        """Paints a picture at the options' detail, enlarges the result, and keeps colors if the options say so.

        Args:
            content: float32 RGB in [0, 1], shape [H, W, 3].
            paint: paints such a picture at its own size.

        Returns:
            The painting, in the same form.

        Raises:
            InputError: there is too little memory.
        """
        model_size = getattr(self._model, "content_size", None)
        memory.check_painting(self._model, painted_size(content.shape[:2], self.options.detail, model_size))
        stylized = paint_at_detail(content, paint, self.options.detail, model_size)
        return images.preserve_color(content, stylized) if self.options.preserve_color else stylized

    def mixed(self, style: EncodedStyle, content: Picture, times: list[StageTimes] | None = None) -> EncodedStyle:
        """Mixes the content's own style into a style, by the options' strength.

        Args:
            style: from `read_style`.
            content: float32 RGB in [0, 1], shape [H, W, 3].
            times: takes the stage times of the model's calls.
        """
        strength = self.options.strength
        if strength == 1 or style.values is None:
            return style
        # The content is passed to the predictor like a style, so that all forms of the model agree.
        own = self._bottleneck(content, [] if times is None else times)
        return EncodedStyle(interpolate(own, style.values, strength))

    def paint(self, content: Picture, style: EncodedStyle, times: list[StageTimes] | None = None) -> np.ndarray:
        """Paints a picture at its own size and in full strength.

        Args:
            content: float32 RGB in [0, 1], shape [H, W, 3].
            style: from `read_style` or `mixed`.
            times: takes the stage times of the model's call.

        Returns:
            The painting as a batch of one, float32 [1, H, W, 3] in [0, 1].
        """
        times = [] if times is None else times
        if isinstance(self._model, SingleStyleStylizer):
            return self._run(times, self._model, content[None])
        call = self._model.transform if isinstance(self._model, BottleneckStylizer) else self._model
        return self._run(times, call, content[None], style.values)

    def _run(self, times: list[StageTimes], call: Callable[..., Any], *arguments: Any) -> np.ndarray:
        """Calls the model and records its stage times."""
        result = np.asarray(call(*arguments))
        if (times_of_call := getattr(self._model, "times", None)) is not None:
            times.append(times_of_call)
        return result
