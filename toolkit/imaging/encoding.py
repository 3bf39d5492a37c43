"""Writes pictures as Pillow images, as encoded bytes, and atomically as files."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from toolkit.errors import InputError, WorkError, one_line
from toolkit.files.atomic_write import write_atomically
from toolkit.imaging.formats.file_types import FORMAT_OF
from toolkit.imaging.photo_metadata import PhotoMetadata
from toolkit.imaging.picture import Picture, check_finite, extent, samples_of, to_uint8
from toolkit.imaging.validation import as_picture

_WITH_METADATA = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
# Larger PNGs are compressed fast: a painting of 6 megapixels would take 4 seconds otherwise, to be an eighth smaller.
_LARGE_SAMPLES = 3 * 1_000_000


def to_pillow(picture: Any) -> Image.Image:
    """Turns a picture into a Pillow image, which notebooks show.

    Args:
        picture: RGB [H, W, 3] or [1, H, W, 3], floats in [0, 1] or unsigned integers over their whole range.

    Returns:
        An 8-bit RGB image.

    Raises:
        InputError: the shape or the range is wrong.
        WorkError: a sample is NaN or infinite.
    """
    return Image.fromarray(to_uint8(_checked(picture)))


def encode_png(picture: Any, metadata: PhotoMetadata | None = None) -> bytes:
    """Encodes a picture, as `to_pillow` takes it, as an 8-bit RGB PNG with the metadata of a photo."""
    return _encode(_checked(picture), "PNG", 100, metadata, is_small=True)  # because it may be sent over a network


def save_image(picture: Any, path: str | Path, quality: int = 95, metadata: PhotoMetadata | None = None) -> None:
    """Saves a picture as a file, atomically.

    Args:
        picture: as `to_pillow` takes it: RGB [H, W, 3] or [1, H, W, 3], floats in [0, 1] or unsigned integers.
        path: the file, in an existing folder; its suffix, one of `WRITABLE_SUFFIXES`, is the format.
            A file of that name is replaced.
        quality: 1 to 100, for JPEG, WebP and AVIF; the other formats do not use it.
        metadata: of the photo that was painted, which JPEG, PNG, WebP, TIFF and AVIF keep; see
            `toolkit.imaging.photo_metadata`.

    Raises:
        InputError: the suffix is unknown, the folder is missing or not writable, or the quality, shape or range is
            wrong.
        WorkError: a sample is NaN or infinite, the format cannot hold the picture, or the disk is full.
    """
    write_atomically(encode_image(picture, path, quality, metadata), Path(path))


def encode_image(picture: Any, path: str | Path, quality: int = 95, metadata: PhotoMetadata | None = None) -> bytes:
    """Encodes a picture as the bytes that `save_image` writes, for callers with their own storage.

    Takes the arguments of `save_image`, but `path` may be an address.

    Returns:
        The bytes of the file.

    Raises:
        InputError: the suffix is unknown, or the quality, shape or range is wrong.
        WorkError: a sample is NaN or infinite, or the format cannot hold the picture.
    """
    suffix = Path(path).suffix
    family = FORMAT_OF.get(suffix.lower())
    if family is None:
        raise InputError(f"cannot write {path}: unknown suffix {suffix!r}; use one of {' '.join(sorted(FORMAT_OF))}")
    if not 1 <= quality <= 100:
        raise InputError(f"cannot write {path} with quality {quality}; choose 1 to 100")
    picture = _checked(picture)
    try:
        return _encode(picture, family, quality, metadata)
    except (OSError, ValueError) as error:
        raise WorkError(
            f"cannot write {path}: {family} cannot hold this {extent(picture)} picture "
            f"({one_line(error)}); choose another format"
        ) from error


def save_animation(pictures: Sequence[Any], path: str | Path, seconds: float = 4.0) -> None:
    """Saves pictures as an animation, atomically.

    Args:
        pictures: as `to_pillow` takes them, in order; at least one.
        path: the file, in an existing folder; its suffix is `.gif` or `.webp`. A file of that name is replaced.
        seconds: duration of one loop; the last picture is shown for one more second.

    Raises:
        InputError: the suffix, a shape or a range is wrong, there is no picture, or the folder is missing or
            not writable.
        WorkError: a sample is NaN or infinite, or the disk is full.
    """
    path = Path(path)
    family = FORMAT_OF.get(path.suffix.lower())
    if family not in ("GIF", "WEBP"):
        raise InputError(f"cannot write {path}: an animation is a .gif or .webp file, not {path.suffix!r}")
    if not len(pictures):
        raise InputError(f"cannot write {path}: there are no pictures")
    frames = [to_pillow(picture) for picture in pictures]
    durations = [round(1000 * seconds / len(frames))] * len(frames)
    durations[-1] += 1000
    stream = io.BytesIO()
    frames[0].save(stream, family, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    write_atomically(stream.getvalue(), path)


def _checked(picture: Any) -> Picture:
    """The picture to write. A model may have made it, so samples that are not finite are a failure, not bad use."""
    if hasattr(picture, "dtype"):
        picture = samples_of(picture, "the picture")
        check_finite(picture)
    return as_picture(picture)


def _encode(
    picture: Picture, family: str, quality: int, metadata: PhotoMetadata | None = None, is_small: bool = False
) -> bytes:
    options: dict[str, Any] = {"quality": quality} if family in ("JPEG", "WEBP", "AVIF") else {}
    if family in ("JPEG", "AVIF"):
        options["subsampling"] = 0 if family == "JPEG" else "4:4:4"  # strokes of pure color smear when chroma is halved
    if family == "AVIF":
        options["speed"] = 8
    if family == "PNG" and picture.size > _LARGE_SAMPLES and not is_small:
        options["compress_level"] = 2
    if metadata is not None and family in _WITH_METADATA:
        options |= {"exif": metadata.exif} if metadata.exif else {}
        options |= {"icc_profile": metadata.icc_profile} if metadata.icc_profile else {}
    stream = io.BytesIO()
    Image.fromarray(to_uint8(picture)).save(stream, family, **options)
    return stream.getvalue()
