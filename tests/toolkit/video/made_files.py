"""Files of clips, made by PyAV and Pillow as cameras and editors make them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from toolkit.imaging import images, samples
from toolkit.imaging.picture import to_uint8

MILLISECOND = Fraction(1, 1000)
SIZE = (48, 64)


def pictures(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """A view that glides over a photo, two pixels a frame: uint8 [H, W, 3]."""
    photo = to_uint8(images.resize(samples.photos()["coffee"], 2 * size[0], 3 * size[1]))
    return [np.ascontiguousarray(photo[: size[0], 2 * index : 2 * index + size[1]]) for index in range(count)]


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    milliseconds: Sequence[int] | None = None,
    rotation: int = 0,
    sound: str | None = None,
    **context: Any,
) -> Path:
    """Writes a video.

    Args:
        path: the file; its suffix is the container.
        frames: uint8 RGB, shape [H, W, 3].
        codec: of the pictures.
        pixels: FFmpeg's name of the pixel format.
        milliseconds: when each frame is shown; 25 a second by default.
        rotation: in degrees, counterclockwise, by which players turn the frames.
        sound: codec of half a second of a tone, if any.
        context: attributes of the encoder, such as its colors.
    """
    times = milliseconds or [40 * index for index in range(len(frames))]
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt, video.codec_context.time_base = pixels, MILLISECOND
        for name, value in context.items():
            setattr(video.codec_context, name, value)
        if rotation:
            video.set_display_rotation(rotation)
        tone = container.add_stream(sound, rate=48_000, layout="mono") if sound else None
        for samples_of_frame, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(samples_of_frame, format="rgb24")
            frame.pts, frame.time_base = time, MILLISECOND
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if tone:
            _write_tone(container, tone)
    return path


def _write_tone(container: Any, stream: Any) -> None:
    wave = (8000 * np.sin(np.arange(24_000) / 20)).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.sample_rate, frame.pts = 48_000, 0
    form, size = stream.format.name, stream.codec_context.frame_size or 1024
    for part in av.AudioResampler(format=form, layout="mono", rate=48_000, frame_size=size).resample(frame):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def sound_of(path: Path) -> list[bytes]:
    """The packets of sound of a video."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]
