"""Writes pictures: as Pillow images, as the bytes of files, and as files that are whole or not there."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from toolkit.errors import InputError, WorkError, one_line
from toolkit.formats import FORMAT_OF
from toolkit.inputs import as_picture
from toolkit.picture import Picture, check_finite, extent, samples_of, to_uint8
from toolkit.whole_files import write_whole


def to_pillow(picture: Any) -> Image.Image:
    """Turns a picture into a Pillow image, which notebooks show.

    Args:
        picture: RGB [H, W, 3] or [1, H, W, 3], floats in [0, 1] or unsigned integers over their whole range.

    Returns:
        An 8-bit RGB image.

    Raises:
        InputError: the shape or the range is another.
        WorkError: a sample is NaN or infinite.
    """
    return Image.fromarray(to_uint8(_checked(picture)))


def encode_png(picture: Any) -> bytes:
    """Encodes a picture as an 8-bit RGB PNG.

    Args:
        picture: as `to_pillow` takes it.

    Returns:
        The bytes of a PNG file.

    Raises:
        InputError: the shape or the range is another.
        WorkError: a sample is NaN or infinite.
    """
    return _encode(_checked(picture), "PNG", quality=100)


def save_image(picture: Any, path: str | Path, quality: int = 95) -> None:
    """Saves a picture as a file that is written whole or not at all.

    Args:
        picture: as `to_pillow` takes it: RGB [H, W, 3] or [1, H, W, 3], floats in [0, 1] or unsigned integers.
        path: the file, in an existing folder; its suffix, one of `WRITABLE_SUFFIXES`, is the format.
            A file of that name is replaced.
        quality: 1 to 100, for JPEG and WebP; the other formats do not use it.

    Raises:
        InputError: the suffix is unknown, the folder is missing or cannot be written, or the quality,
            the shape or the range of the samples is another.
        WorkError: a sample is NaN or infinite, the format cannot hold the picture, or the disk is full.
    """
    path = Path(path)
    family = FORMAT_OF.get(path.suffix.lower())
    if family is None:
        raise InputError(
            f"cannot write {path}: unknown suffix {path.suffix!r}; use one of {' '.join(sorted(FORMAT_OF))}"
        )
    if not 1 <= quality <= 100:
        raise InputError(f"cannot write {path} with quality {quality}; choose 1 to 100")
    picture = _checked(picture)
    try:
        data = _encode(picture, family, quality)
    except (OSError, ValueError) as error:
        raise WorkError(
            f"cannot write {path}: {family} cannot hold this {extent(picture)} picture "
            f"({one_line(error)}); choose another format"
        ) from error
    write_whole(data, path)


def save_animation(pictures: Sequence[Any], path: str | Path, seconds: float = 4.0) -> None:
    """Saves pictures as one moving picture, written whole or not at all.

    Args:
        pictures: as `to_pillow` takes them, in order; at least one.
        path: the file, in an existing folder; its suffix is `.gif` or `.webp`. A file of that name is replaced.
        seconds: how long it runs before it starts again; the last picture is held for a second more.

    Raises:
        InputError: the suffix is another, there is no picture, a shape or range is another, or the folder is missing or
            cannot be written.
        WorkError: a sample is NaN or infinite, or the disk is full.
    """
    path = Path(path)
    family = FORMAT_OF.get(path.suffix.lower())
    if family not in ("GIF", "WEBP"):
        raise InputError(f"cannot write {path}: a moving picture is a .gif or .webp file, not {path.suffix!r}")
    if not len(pictures):
        raise InputError(f"cannot write {path}: there is no picture to show")
    frames = [to_pillow(picture) for picture in pictures]
    durations = [round(1000 * seconds / len(frames))] * len(frames)
    durations[-1] += 1000
    stream = io.BytesIO()
    frames[0].save(stream, family, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    write_whole(stream.getvalue(), path)


def _checked(picture: Any) -> Picture:
    """The picture to write; a model may have made it, so samples that are not finite are no bad use."""
    if hasattr(picture, "dtype"):
        picture = samples_of(picture, "the picture")
        check_finite(picture)
    return as_picture(picture)


def _encode(picture: Picture, family: str, quality: int) -> bytes:
    options: dict[str, int] = {"quality": quality} if family in ("JPEG", "WEBP") else {}
    if family == "JPEG":
        options["subsampling"] = 0  # strokes of pure colour smear when chroma is halved
    stream = io.BytesIO()
    Image.fromarray(to_uint8(picture)).save(stream, family, **options)
    return stream.getvalue()
