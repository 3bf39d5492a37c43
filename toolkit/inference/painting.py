"""Paints a picture from the file with any form of the stylizer: style squared, strength, detail, colors."""

import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from toolkit.errors import InputError
from toolkit.imaging import images
from toolkit.imaging.decoding import opened_picture
from toolkit.imaging.images import Picture
from toolkit.inference.model_loader import SplitStylizerLike, StylizerLike
from toolkit.interface.bottleneck import interpolate
from toolkit.interface.detail import paint_at_detail, painted_size
from toolkit.interface.paint_options import Look
from toolkit.interface.single_style import SingleStyleStylizerLike
from toolkit.process import memory
from toolkit.process.stage_times import StageTimes


class Painter:
    """Paints pictures with one model; threads may share one.

    Args:
        model: any form of the stylizer.
        look: how pictures are read and painted.

    Raises:
        InputError: a strength below 1 is asked of an end-to-end model.
    """

    def __init__(self, model: StylizerLike | SingleStyleStylizerLike, look: Look) -> None:
        self.look = look
        self._model = model
        self._local = threading.local()
        self._form = self._form_of(model)

    @property
    def has_strength(self) -> bool:
        """Whether a strength below 1 can be had of the model."""
        return isinstance(self._form, _Split)

    def _form_of(self, model: StylizerLike | SingleStyleStylizerLike) -> "_Form":
        if isinstance(model, SingleStyleStylizerLike):
            return _OneStyle(model)
        if isinstance(model, SplitStylizerLike):
            return _Split(model, self.look, self._timed)
        if self.look.strength < 1:
            raise InputError(
                f"strength is {self.look.strength:g}: an end-to-end model has none but 1; "
                "where it has a bottleneck, --split-at names it"
            )
        return _EndToEnd(model)

    def read_style(self, picture: Any) -> np.ndarray:
        """Makes of a style what `paint` takes: a bottleneck [1, 1, 1, D], or a square picture [1, S, S, 3]."""
        memory.check_painting(self._model, style_side=self.look.style_size)
        return self._form.read_style(images.center_crop_resize(picture, self.look.style_size)[None])

    def read_content(self, source: str | Path | BinaryIO, name: str | None = None) -> Picture:
        """Reads a content picture from a path or an open file, bounded as the look says."""
        name = name or str(source)
        with opened_picture(source) if isinstance(source, str | Path) else nullcontext(source) as stream:
            width, height = images.stored_size(stream, name, self.look.max_size)
            memory.check(memory.enlarging(height, width), "a smaller --max-size")
            stream.seek(0)
            return images.decode_image(stream, name, self.look.max_size)

    def paint(self, content: Picture, style: np.ndarray | None) -> Picture:
        """Paints one picture: at the look's detail where it is larger, and brought to its own size.

        Args:
            content: float32 RGB in [0, 1], shape [H, W, 3].
            style: as `read_style` makes it; None where the model has its style inside.

        Returns:
            A new picture of the same form and size.

        Raises:
            InputError: there is too little memory for the size of the content.
        """
        model_size = getattr(self._model, "content_size", None)
        memory.check_painting(self._model, painted_size(content.shape[:2], self.look.detail, model_size))

        def stylized_at(small: Picture) -> np.ndarray:
            return np.asarray(self._timed(self._form.stylize(small[None], style)))

        stylized = paint_at_detail(content, stylized_at, self.look.detail, model_size)
        return images.preserve_color(content, stylized) if self.look.preserve_color else stylized

    def take_times(self) -> StageTimes | None:
        """Returns what the model's stages took since this thread asked last; None where it records none."""
        times: StageTimes | None = getattr(self._local, "times", None)
        self._local.times = None
        return times

    def _timed(self, result: Any) -> Any:
        """Adds up what the model recorded of the call that it just answered."""
        if (times := getattr(self._model, "times", None)) is not None:
            before: StageTimes | None = getattr(self._local, "times", None)
            self._local.times = times if before is None else before + times
        return result


class _Form(Protocol):
    """How a model is called: with styles [1, S, S, 3] and contents [1, H, W, 3]."""

    def read_style(self, square: np.ndarray) -> np.ndarray: ...

    def stylize(self, content: np.ndarray, style: Any) -> Any: ...


class _Split:
    """A predictor and a transformer."""

    def __init__(self, model: SplitStylizerLike, look: Look, timed: Any) -> None:
        self._model, self._look, self._timed = model, look, timed

    def read_style(self, square: np.ndarray) -> np.ndarray:
        return np.asarray(self._timed(self._model.bottleneck(square)))

    def stylize(self, content: np.ndarray, style: Any) -> Any:
        if self._look.strength < 1:
            # The content is shown to the predictor as a style is: all forms of the model then agree.
            own = self.read_style(images.center_crop_resize(content[0], self._look.style_size)[None])
            style = interpolate(own, style, self._look.strength)
        return self._model.transform(content, style)


class _EndToEnd:
    """An end-to-end model."""

    def __init__(self, model: StylizerLike) -> None:
        self._model = model

    def read_style(self, square: np.ndarray) -> np.ndarray:
        return square

    def stylize(self, content: np.ndarray, style: Any) -> Any:
        return self._model(content, style)


class _OneStyle:
    """A model that has its style inside."""

    def __init__(self, model: SingleStyleStylizerLike) -> None:
        self._model = model

    def read_style(self, square: np.ndarray) -> np.ndarray:
        raise InputError("the model has its style inside, and takes no other")

    def stylize(self, content: np.ndarray, style: Any) -> Any:
        return self._model(content)
