"""Writes clips with PyAV, frame by frame: videos with their sound, GIF and WebP animations."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError, WorkError
from toolkit.files.atomic_write import writing
from toolkit.video.libraries import ColorPrimaries, ColorRange, Colorspace, ColorTrc, av

# Fine enough for the times of every container that is read.
_TIME_BASE = Fraction(1, 90_000)
# What an encoder takes as its largest frame rate.
_MOST_RATE = 240


@dataclass(frozen=True)
class _Format:
    """How a kind of clip is written: muxer, encoder, their options, and the encoder's pixel format."""

    muxer: str
    codec: str
    pixels: str
    options: dict[str, str]
    has_sound: bool = True


# Paintings are full of fine strokes, so the quality is well above the encoders' defaults.
_H264 = {"crf": "18", "preset": "veryfast"}
_VP9 = {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
_FORMATS = {
    ".mp4": _Format("mp4", "libx264", "yuv420p", _H264),
    ".mov": _Format("mov", "libx264", "yuv420p", _H264),
    ".mkv": _Format("matroska", "libx264", "yuv420p", _H264),
    ".webm": _Format("webm", "libvpx-vp9", "yuv420p", _VP9),
    ".gif": _Format("gif", "gif", "pal8", {}, has_sound=False),
    ".webp": _Format("webp", "libwebp_anim", "bgra", {"quality": "85"}, has_sound=False),
}
WRITABLE_SUFFIXES = frozenset(_FORMATS)
"""Suffixes, in lower case, of the clips that can be written."""


def keeps_sound(path: Path) -> bool:
    """Returns whether clips of a path's suffix hold sound."""
    return _FORMATS[path.suffix.lower()].has_sound


class ClipWriter:
    """An open clip that frames are added to.

    Attributes:
        count: how many frames it has.
    """

    def __init__(self, container: Any, form: _Format, rate: Fraction, sounds: Sequence[Any]) -> None:
        self.count = 0
        self._container, self._form, self._rate = container, form, rate
        self._video: Any = None
        self._templates = sounds
        self._sounds: dict[int, Any] = {}
        self._last = -1
        # Packets of sound that came before the first frame, whose size the file's header needs.
        self._early: list[tuple[Any, Fraction]] = []

    def write(self, samples: np.ndarray, time: Fraction, seconds: Fraction) -> None:
        """Adds a frame.

        Args:
            samples: uint8 RGB, shape [H, W, 3]; all frames have the size of the first.
            time: when it is shown, in seconds, after the frame before.
            seconds: how long it is shown.
        """
        if self._video is None:
            self._begin(samples)
        frame = av.VideoFrame.from_ndarray(self._even(samples), format="rgb24")
        self._last = max(round(time / _TIME_BASE), self._last + 1)
        colored = self._in_palette(frame) if self._form.pixels == "pal8" else self._converted(frame)
        colored.pts, colored.time_base, colored.duration = self._last, _TIME_BASE, round(seconds / _TIME_BASE)
        self._container.mux(self._video.encode(colored))
        self.count += 1
        while self._early:
            self.copy_sound(*self._early.pop(0))

    def copy_sound(self, packet: Any, origin: Fraction) -> None:
        """Adds a packet of sound as it is; `origin` is the second of the source that becomes the first one here."""
        if self._video is None:
            self._early.append((packet, origin))
            return
        shift = round(origin / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, (packet.pts if packet.dts is None else packet.dts) - shift
        packet.stream = self._sounds[packet.stream.index]
        self._container.mux(packet)

    def finish(self) -> None:
        """Writes what the encoder holds back."""
        if self._video is not None:
            self._container.mux(self._video.encode(None))

    def _even(self, samples: np.ndarray) -> np.ndarray:
        """The samples with their last row and column repeated where chroma of half the size needs an even side."""
        if self._form.has_sound:
            odd = [side % 2 for side in samples.shape[:2]]
            samples = np.pad(samples, [(0, odd[0]), (0, odd[1]), (0, 0)], mode="edge") if any(odd) else samples
        return np.ascontiguousarray(samples)

    def _begin(self, samples: np.ndarray) -> None:
        height, width = self._even(samples).shape[:2]
        rate = min(max(self._rate, Fraction(1)), Fraction(_MOST_RATE)).limit_denominator(1001)
        stream = self._container.add_stream(self._form.codec, rate=rate, options=dict(self._form.options))
        stream.width, stream.height, stream.pix_fmt = width, height, self._form.pixels
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        if self._form.has_sound:
            context = stream.codec_context
            context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._video = stream
        self._sounds = {one.index: self._container.add_stream_from_template(one) for one in self._templates}

    def _in_palette(self, frame: av.VideoFrame) -> Any:
        """The frame in 256 colors of its own."""
        frame.pts, frame.time_base = 0, _TIME_BASE
        graph = av.filter.Graph()
        source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=_TIME_BASE)
        split, palette = graph.add("split"), graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
        # An ordered pattern stands still where the picture does.
        use, sink = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=3"), graph.add("buffersink")
        for first, second, *ports in (
            (source, split),
            (split, use, 0, 0),
            (split, palette, 1, 0),
            (palette, use, 0, 1),
        ):
            first.link_to(second, *ports)
        use.link_to(sink)
        graph.configure()
        graph.push(frame)
        graph.push(None)
        return graph.pull()

    def _converted(self, frame: av.VideoFrame) -> av.VideoFrame:
        colors = {"dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.MPEG}
        return frame.reformat(
            format=self._form.pixels, interpolation="BICUBIC", **(colors if self._form.has_sound else {})
        )


@contextmanager
def new_clip(path: Path, rate: Fraction, sounds: Sequence[Any] = (), loop: int = 0) -> Iterator[ClipWriter]:
    """Opens a new clip, which appears at its path once the block has ended and a frame has been written.

    Args:
        path: the file, in an existing folder, with one of `WRITABLE_SUFFIXES`; a file of that name is replaced.
        rate: frames a second, on average.
        sounds: streams of an open clip whose packets are copied.
        loop: how often an animation is shown; 0 for ever.

    Raises:
        InputError: the place cannot be written, or the format cannot hold the sound.
        WorkError: the disk is full, or the encoder fails.
    """
    form = _FORMATS[path.suffix.lower()]
    options = {} if form.has_sound else {"loop": str(loop)}
    with (
        writing(path) as stream,
        _encoding(path),
        av.open(stream, "w", format=form.muxer, container_options=options) as container,
    ):
        for name in (one.codec_context.name for one in sounds):
            if name not in container.supported_codecs:
                raise InputError(f"cannot write {path}: {path.suffix} holds no sound of the kind {name}; choose .mkv")
        writer = ClipWriter(container, form, rate, sounds)
        yield writer
        writer.finish()


@contextmanager
def _encoding(path: Path) -> Iterator[None]:
    try:
        yield
    except av.FFmpegError as error:
        # What the file itself raised, such as for a full disk.
        if isinstance(raised := error.__cause__ or error.__context__, OSError):
            raise raised from error
        raise WorkError(f"cannot write {path}: the encoder failed ({error.strerror})") from error
