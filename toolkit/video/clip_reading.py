"""Reads videos with PyAV: frame by frame, upright, in sRGB's matrix, with their sound as it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from toolkit.errors import InputError
from toolkit.imaging.decoding import max_pixels
from toolkit.imaging.picture import check_size
from toolkit.process import memory
from toolkit.video.clip_frames import BrokenClipError, ClipFrame, Pace, Span
from toolkit.video.libraries import ColorRange, Colorspace, ColorTrc, av

# Decoders of FFmpeg's own, and of the libraries that it is built with, for what cameras and editors write.
_CODECS = frozenset(
    (
        *("h263", "h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v3", "wmv2"),
        *("av1", "libaom-av1", "libdav1d", "libvpx", "libvpx-vp9", "vp8", "vp9", "theora"),
        *("dnxhd", "ffv1", "mjpeg", "png", "prores", "qtrle", "rawvideo"),
    )
)
# Bytes a pixel that decoding takes at its peak: sixteen frames of reference, those of threads, and the RGB frame.
_BYTES_PER_PIXEL = 60
_MOST_STREAMS = 64
_BRIGHTER = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}
# Seconds by which the last packets may begin before the stated end.
_END_SLACK = Fraction(1, 2)
# Where a clip does not say how its colors are coded, players go by its height.
_HD_HEIGHT = 720


class ClipReader:
    """An open video.

    Attributes:
        rate: frames a second, on average.
        count: how many frames the part has, if the file says so.
        sounds: its streams of sound, as `toolkit.video.clip_writing.ClipWriter` takes them.
    """

    loop = 0

    def __init__(self, container: Any, name: str, span: Span) -> None:
        self._container, self._name, self._span = container, name, span
        if len(container.streams) > _MOST_STREAMS:
            raise InputError(f"cannot read {name}: it has {len(container.streams)} streams; at most {_MOST_STREAMS}")
        pictures = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not pictures:
            raise InputError(f"cannot read {name}: there is no video in it, only sound or data; give a video")
        self._video = pictures[0]
        self._check_video()
        self.sounds = list(container.streams.audio)
        self.rate = Fraction(self._video.average_rate or self._video.guessed_rate or 25)
        seconds = float((container.duration or 0) / av.time_base)
        self.count = span.count(seconds, float(self.rate))
        self._reached = Fraction(0)
        # That of the first frame: a stream may change its own.
        self._size: tuple[int, int] | None = None
        self._start = (self._video.start_time or 0) * self._video.time_base

    def _check_video(self) -> None:
        codec = self._video.codec_context
        if codec is None or codec.name not in _CODECS:
            found = "an unknown codec" if codec is None else f"the codec {codec.name}"
            raise InputError(f"cannot read {self._name}: {found} is not read; convert the clip to H.264")
        if codec.width * codec.height > max_pixels():
            raise InputError(
                f"cannot read {self._name}: its frames have {codec.width * codec.height / 1e6:.1f} megapixels, and at "
                f"most {max_pixels() / 1e6:.1f} are decoded; give a smaller clip"
            )
        check_size(codec.width, codec.height, self._name)
        need = memory.painting("a frame", codec.height, codec.width, _BYTES_PER_PIXEL)
        memory.check(need, "a smaller clip")
        codec.thread_type = "AUTO"
        # Broken parts are to be reported, not painted over; and a frame may not be larger than the clip says.
        codec.options = {"err_detect": "explode", "max_pixels": str(int(max_pixels()))}

    def frames(self, copy_sound: Callable[[Any, Fraction], None] | None = None) -> Iterator[ClipFrame]:
        """Yields the frames of the part, in order.

        Args:
            copy_sound: called with each packet of sound of the part, and the second of the clip that is the part's
                start.

        Raises:
            BrokenClipError: a packet is broken, or the file ends within one.
        """
        pace, origin = Pace(self._span), self._start + self._span.origin
        streams = [self._video, *self.sounds]
        if self._span.start > 0:
            self._container.seek(int(origin * av.time_base))
        open_streams = {stream.index for stream in streams}
        with self._broken_as_work():
            for packet in self._container.demux(streams):
                index, shown = packet.stream.index, self._seconds(packet)
                self._reached = max(self._reached, shown or self._reached)
                if index not in open_streams:
                    continue
                if packet.is_corrupt:
                    raise BrokenClipError("a packet is broken")
                if index != self._video.index:
                    if shown is not None and pace.is_over(shown):
                        open_streams.discard(index)
                    # What a decoder of sound needs to begin with comes before the first second.
                    elif shown is not None and (shown >= self._span.origin or not self._span.start) and copy_sound:
                        copy_sound(packet, origin)
                else:
                    for frame in self._decoded(packet):
                        time = self._time(frame)
                        if pace.is_over(time):
                            open_streams.discard(index)
                            break
                        if pace.takes(time):
                            yield self._as_shown(frame, time)
                if not open_streams or (not copy_sound and self._video.index not in open_streams):
                    return
            self._check_end()

    def _decoded(self, packet: Any) -> Iterator[av.VideoFrame]:
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            # The decoder still holds frames before the broken one.
            with suppress(av.FFmpegError):
                yield from (frame for frame in self._video.decode(None) if not frame.is_corrupt)
            raise BrokenClipError(error.strerror) from error

    def _check_end(self) -> None:
        """Refuses a file that ends before the time in its header: demuxers may take a broken part as the end."""
        stated = Fraction(self._container.duration or 0, av.time_base)
        if stated - self._reached > max(_END_SLACK, 3 / self.rate):
            raise BrokenClipError(f"it ends at {float(self._reached):.1f} of {float(stated):.1f} seconds")

    @contextmanager
    def _broken_as_work(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise BrokenClipError(error.strerror) from error

    def _seconds(self, packet: Any) -> Fraction | None:
        """The second of the clip at which a packet is shown; None for the packet that flushes a decoder."""
        return None if packet.pts is None else packet.pts * packet.time_base - self._start

    def _time(self, frame: av.VideoFrame) -> Fraction:
        if frame.pts is None or frame.time_base is None:
            raise BrokenClipError("a frame has no time")
        return frame.pts * frame.time_base - self._start

    def _as_shown(self, frame: av.VideoFrame, time: Fraction) -> ClipFrame:
        if frame.is_corrupt:
            raise BrokenClipError("a frame is broken")
        if kind := _BRIGHTER.get(int(frame.color_trc)):
            raise InputError(
                f"cannot read {self._name}: its colors are HDR ({kind}), which would come out pale; convert it to "
                "standard colors (SDR, BT.709) first"
            )
        seconds = Fraction(frame.duration or 0) * (frame.time_base or 0) or 1 / self.rate
        self._size = self._size or (_shown_width(frame, self._video), frame.height)
        samples = _rgb(frame, *self._size)
        quarters = round(frame.rotation / 90) % 4
        return ClipFrame(np.rot90(samples, quarters), time - self._span.origin, seconds)


@contextmanager
def open_clip(stream: BinaryIO, name: str, demuxer: str, span: Span) -> Iterator[ClipReader]:
    """Opens a video.

    Args:
        stream: the open file.
        name: its name in messages.
        demuxer: FFmpeg's name of its container's reader. Others open files and addresses that a clip names.
        span: the part to read.

    Raises:
        InputError: it cannot be read, holds no video, or one that is not supported.
    """
    try:
        container = av.open(stream, format=demuxer, metadata_errors="replace")
    except av.FFmpegError as error:
        raise InputError(
            f"cannot read {name}: the clip is broken or cut short ({error.strerror}); give an undamaged copy"
        ) from error
    with container:
        yield ClipReader(container, name, span)


def _is_cover(stream: Any) -> bool:
    """Whether a stream of video is the cover of a recording."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _shown_width(frame: av.VideoFrame, stream: Any) -> int:
    """The width of a frame in square pixels."""
    ratio = stream.sample_aspect_ratio or 1
    width = round(frame.width * ratio) if Fraction(1, 4) <= ratio <= 4 else frame.width
    return max(1, width)


def _rgb(frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
    """A frame as 8-bit RGB [H, W, 3], alpha composited on white."""
    is_yuv = not frame.format.is_rgb and not frame.format.has_palette
    known = frame.colorspace in set(Colorspace)
    usual = Colorspace.ITU709 if frame.height >= _HD_HEIGHT else Colorspace.ITU601
    has_alpha = any(component.is_alpha for component in frame.format.components)
    converted = frame.reformat(
        width=width,
        height=height,
        format="rgba" if has_alpha or frame.format.has_palette else "rgb24",
        src_colorspace=Colorspace(frame.colorspace) if known else usual,
        src_color_range=_range(frame) if is_yuv else None,
        interpolation="BICUBIC",
    )
    samples = converted.to_ndarray()
    if samples.shape[-1] == 3:
        return samples
    alpha = samples[..., 3:].astype(np.float32) / 255
    return np.rint(samples[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _range(frame: av.VideoFrame) -> ColorRange:
    is_full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return ColorRange.JPEG if is_full else ColorRange.MPEG
