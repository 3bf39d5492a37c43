"""Reads pictures: decodes files and Pillow images, upright, opaque and in sRGB, with NumPy and Pillow alone."""

import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageCms, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from toolkit.errors import InputError, one_line
from toolkit.files.opening import open_file
from toolkit.imaging.formats import jpeg, tiff, tiff_directory
from toolkit.imaging.formats.file_types import ANIMATED, FAMILIES, HEIC_HINT, clip_hint, is_heic, video_demuxer
from toolkit.imaging.formats.header_limits import HeaderError, check_header
from toolkit.imaging.picture import (
    MIN_SIDE,
    Picture,
    check_size,
    from_array,
    from_uint8,
    samples_of,
    to_uint8,
    to_unit_range,
)
from toolkit.imaging.resampling import Box, bounded, resampled, resampled_picture
from toolkit.process import memory

# Decoding changes the warning filters, which is not thread-safe.
_DECODING = threading.Lock()

# Peak for the worst kind of file, measured on pictures of 89 megapixels and rounded up.
BYTES_PER_PIXEL = 32
# Below this size, free memory is not checked.
_SMALL_BYTES = 256 << 20

# Turns a stored picture [H, W, 3] upright, by EXIF orientation.
_UPRIGHT: dict[int, Callable[[Picture], Picture]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}

# Pillow scales PNG samples that are not 8 bits deep by these factors, but not the transparent color.
_PNG_SCALES = {"L;2": 85.0, "L;4": 17.0, "RGB;16B": 1 / 256}


def load_image(source: Any, max_size: int | None = None, min_side: int | None = None) -> Picture:
    """Loads a picture upright, opaque and in sRGB, whatever form it was stored in.

    Args:
        source: a JPEG, PNG, WebP, TIFF, BMP, AVIF or GIF file (its first frame), a Pillow image, or an array or tensor
            [H, W], [H, W, 3], [H, W, 4] or [1, H, W, 3] of bool, uint8, uint16 or floats in [0, 1], channels in the
            order red, green, blue. What is transparent is composited on white. Both sides are at least 16 pixels.
        max_size: bound on the longer side in pixels, at least 16; a larger picture is
            scaled down with its aspect kept, a smaller one is never enlarged.
        min_side: lower bound of the shorter side when a JPEG file with too many pixels is decoded at reduced
            size; without this or `max_size` such a file is refused.

    Returns:
        A new float32 RGB picture in [0, 1], shape [H, W, 3].

    Raises:
        InputError: the file is missing, unreadable, broken or not a picture, the picture is too small
            or too large, or the array has a wrong shape, dtype or range.
    """
    if max_size is not None and max_size < MIN_SIDE:
        raise InputError(f"cannot bound a picture to {max_size} px; the bound must be at least {MIN_SIDE} px")
    if isinstance(source, Image.Image):
        with errors_of("the Pillow image"):
            return _decode(source, "the Pillow image", max_size)
    if isinstance(source, str | PathLike):
        with opened_picture(source) as stream:
            return decode_image(stream, str(source), max_size, min_side)
    return _load_array(samples_of(source, "the array"), max_size)


@contextmanager
def opened_picture(path: str | PathLike) -> Iterator[BinaryIO]:
    """Opens a picture's file; refuses a missing or unreadable file."""
    try:
        with open_file(path) as stream:
            yield stream
    except InputError:
        raise
    except (OSError, ValueError) as error:  # a name with a NUL raises ValueError
        raise InputError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}; "
            "give the path of a picture that can be read"
        ) from error


def _load_array(samples: np.ndarray, max_size: int | None) -> Picture:
    picture = from_array(samples, "the array")
    height, width = picture.shape[:2]
    check_size(width, height, "the array")
    new_width, new_height = bounded(width, height, "the array", max_size)
    if (new_width, new_height) != (width, height):
        return resampled_picture(picture, new_height, new_width)
    return picture.copy() if np.may_share_memory(picture, samples) else picture


def decode_image(stream: BinaryIO, name: str, max_size: int | None = None, min_side: int | None = None) -> Picture:
    """Loads a picture from an open file on any file system, as `load_image` does."""
    with opened(stream, name) as image:
        return _decode(image, name, max_size, _reduction(image, stream, name, max_size, min_side))


def stored_size(stream: BinaryIO, name: str, max_size: int | None = None) -> tuple[int, int]:
    """Returns the width and height, before orientation, that an open picture will be decoded to, from its header."""
    with opened(stream, name) as image:
        check_size(*image.size, name)
        _reduction(image, stream, name, max_size, None)
        return bounded(*image.size, name, max_size)


def stored_extent(stream: BinaryIO, name: str) -> tuple[int, int]:
    """Returns the width and height of an open picture from its header, even where they exceed the decoding limit."""
    with opened(stream, name) as image:
        return image.size


def refuse_animation(stream: BinaryIO, name: str) -> None:
    """Refuses an animation where a picture is meant: of its frames, one alone would be used."""
    is_jpeg = stream.read(len(jpeg.MAGIC)) == jpeg.MAGIC
    stream.seek(0)
    if is_jpeg:  # of a large one, even the header takes a while
        return
    with opened(stream, name) as image:
        # Other formats hold pictures beside one another, such as a camera's preview.
        if image.format in ANIMATED and getattr(image, "is_animated", False):
            raise InputError(f"cannot use {name} as a picture: it is an animation; {clip_hint(name)}")


@contextmanager
def opened(stream: BinaryIO, name: str) -> Iterator[Image.Image]:
    """Opens a picture; only its header is decoded yet."""
    with errors_of(name, stream), open_checked(stream, name) as image:
        yield image


def open_checked(stream: BinaryIO, name: str) -> Image.Image:
    """Opens a picture or an animation within `errors_of`; refuses a header that takes too much to read."""
    magic = stream.read(len(jpeg.MAGIC))
    if not magic:
        raise InputError(f"cannot read {name}: the file is empty; give a picture")
    stream.seek(0)
    check_header(stream)
    if magic == jpeg.MAGIC:
        # Not Image.open, which refuses by the stored size; a JPEG may be decoded to a smaller one.
        return JpegImagePlugin.jpeg_factory(stream)
    return Image.open(stream, formats=tuple(FAMILIES))


def max_pixels() -> float:
    """Returns how many pixels a picture may be decoded to: Pillow's limit, which a program can change."""
    return Image.MAX_IMAGE_PIXELS or float("inf")


def _too_large(name: str, pixels: int, hint: str) -> InputError:
    return InputError(
        f"cannot read {name}: it has {pixels / 1e6:.1f} megapixels, and at most {max_pixels() / 1e6:.1f} are decoded; "
        f"{hint}"
    )


def _reduction(image: Image.Image, stream: BinaryIO, name: str, max_size: int | None, min_side: int | None) -> int:
    """The factor by which decoding divides a JPEG's sides; 1 where the whole picture is within the limit."""
    width, height = image.size
    if width * height <= max_pixels():
        return 1
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        hint = "give a smaller picture, or a JPEG, which can be decoded to a part of its size"
        raise _too_large(name, width * height, hint)
    if not jpeg.has_one_scan(stream):
        raise _too_large(name, width * height, "give a smaller picture: a progressive JPEG can only be decoded whole")
    reduction = next((by for by in jpeg.REDUCTIONS if (-(-width // by)) * (-(-height // by)) <= max_pixels()), None)
    if reduction is None:
        raise _too_large(name, width * height, "give a smaller picture")
    longer, shorter = max(width, height) // reduction, min(width, height) // reduction
    if not ((max_size is not None and max_size <= longer) or (min_side is not None and min_side <= shorter)):
        raise _too_large(
            name, width * height, f"bound its longer side to {longer} pixels or fewer (max_size, --max-size)"
        )
    return reduction


@contextmanager
def errors_of(name: str, stream: BinaryIO | None = None) -> Iterator[None]:
    """Turns Pillow's errors and its decompression-bomb warning into an InputError."""
    try:
        with _DECODING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except InputError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        pixels = re.search(r"\d+", str(error))
        hint = "give a smaller picture, or a JPEG, which can be decoded to a part of its size"
        raise _too_large(name, int(pixels.group()) if pixels else 0, hint) from error
    except HeaderError as error:
        raise InputError(f"cannot read {name}: it has {error}; open it in an image editor and save it again") from error
    except UnidentifiedImageError as error:
        if stream is not None and is_heic(stream):
            raise InputError(f"cannot read {name}: {HEIC_HINT}") from error
        if stream is not None and video_demuxer(stream):
            raise InputError(f"cannot read {name}: it is a video; {clip_hint(name)}") from error
        if stream is not None and (layout := tiff.read_layout(stream)):
            raise _unread_tiff(name, layout, "such files are not read") from error
        raise InputError(
            f"cannot read {name}: it is not a picture in a known format; give one of {', '.join(FAMILIES)}"
        ) from error
    except Exception as error:  # Pillow's decoders raise almost any exception on broken bytes
        raise InputError(
            f"cannot read {name}: the picture is broken or cut short ({one_line(error)}); give an undamaged copy"
        ) from error


def _unread_tiff(name: str, layout: tiff.Layout, why: str) -> InputError:
    return InputError(
        f"cannot read {name}: a TIFF of this kind ({layout}): {why}; "
        "convert it to unsigned integers of 8 or 16 bits, interleaved"
    )


def _decode(image: Image.Image, name: str, max_size: int | None, reduction: int = 1) -> Picture:
    check_size(*image.size, name)
    _check_memory(image, name, reduction)
    layout = tiff.Layout.of(image.tag_v2) if isinstance(image, TiffImagePlugin.TiffImageFile) else None
    if layout and (why := layout.why_not()):
        raise _unread_tiff(name, layout, why)
    size = None if max_size is None else bounded(*image.size, name, max_size)
    # The picture may end within the last row and column of a reduced JPEG.
    box = _drafted(image, reduction) if reduction > 1 else None
    _scale_transparent_color(image)
    image.load()
    picture = _as_stored(image, name, layout, size, box)
    orientation = _orientation(image)
    return np.ascontiguousarray(_UPRIGHT[orientation](picture)) if orientation in _UPRIGHT else picture


def _check_memory(image: Image.Image, name: str, reduction: int) -> None:
    width, height = (-(-side // reduction) for side in image.size)
    if width * height * BYTES_PER_PIXEL > _SMALL_BYTES:
        memory.check(memory.painting(name, height, width, BYTES_PER_PIXEL), "a smaller picture")


def _drafted(image: Image.Image, reduction: int) -> Box:
    """Makes the decoder reduce the sides; returns the part of the result that shows the picture."""
    width, height = image.size
    drafted = image.draft(None, (width // reduction, height // reduction))
    if drafted is None:
        raise ValueError(f"{image.format} cannot be decoded smaller")
    return drafted[1]


def frame_samples(image: Image.Image, name: str) -> np.ndarray:
    """Returns the current frame of an animation, within `errors_of`: uint8 RGB [H, W, 3], opaque and in sRGB."""
    image.load()
    return to_uint8(_as_stored(image, name, None, None, None))


def _as_stored(
    image: Image.Image, name: str, layout: tiff.Layout | None, size: tuple[int, int] | None, box: Box | None
) -> Picture:
    """A loaded image as a picture in its stored orientation, at a given width and height or its own."""
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        gray = _deep_gray(image, name, layout)
        if not profile:
            return _gray_picture(gray, size)
        image = Image.fromarray(to_uint8(gray))  # a profile is applied to 8 bits
    image = _on_white(image, profile)
    if size is None or size == image.size:
        return from_uint8(np.asarray(image))
    # In 8 bits Pillow rounds and clips between its two passes; one channel at a time keeps floats affordable.
    return resampled((channel.convert("F") for channel in image.split()), size, 255.0, box)


def _gray_picture(gray: np.ndarray, size: tuple[int, int] | None) -> Picture:
    if size is None or size == gray.shape[::-1]:
        return np.repeat(gray[..., np.newaxis], 3, axis=-1)
    return np.repeat(resampled([Image.fromarray(gray)], size), 3, axis=-1)


def _orientation(image: Image.Image) -> Any:
    """The EXIF orientation, read even where the EXIF block is damaged elsewhere."""
    try:
        if tiff_directory.fault(io.BytesIO(_exif_block(image))):
            return None
        # Not ImageOps.exif_transpose, which also rewrites the whole block and fails on odd tags.
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a broken EXIF block is no reason to refuse the picture
        return None


def _exif_block(image: Image.Image) -> bytes:
    block: bytes = image.info.get("exif") or b""
    if not block and (profile := image.info.get("Raw profile type exif")):
        block = bytes.fromhex("".join(str(profile).split("\n")[3:]))
    return block.removeprefix(b"Exif\0\0")


def _scale_transparent_color(image: Image.Image) -> None:
    """Scales the transparent color of a PNG as Pillow scales the samples."""
    if image.format != "PNG" or "transparency" not in image.info or not getattr(image, "tile", None):
        return
    scale, color = _PNG_SCALES.get(str(image.tile[0][3])), image.info["transparency"]  # type: ignore[attr-defined]
    if scale and isinstance(color, int):
        image.info["transparency"] = int(color * scale)
    elif scale and isinstance(color, tuple):
        image.info["transparency"] = tuple(int(sample * scale) for sample in color)


def _deep_gray(image: Image.Image, name: str, layout: tiff.Layout | None) -> np.ndarray:
    """Gray samples of 12, 16 or 32 bits as float32 in [0, 1], shape [H, W]."""
    samples = np.asarray(image)
    if image.mode == "F":
        gray = to_unit_range(samples, f"cannot read {name}: it")
    elif image.mode == "I" and image.format != "PNG":
        raise InputError(
            f"cannot read {name}: its samples are integers of 32 bits (mode I), and their white level cannot be "
            "determined; give 8 or 16 bits, or floats in [0, 1]"
        )
    else:
        gray = samples.astype(np.float32) / np.float32(layout.white if layout else 65535.0)
    if layout and layout.is_min_white:
        gray = 1 - gray
    if "transparency" in image.info:
        gray[samples == image.info["transparency"]] = 1.0
    return gray


def _on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image as opaque 8-bit sRGB."""
    image = _straight_alpha(image)
    if image.mode not in ("LA", "RGBA"):
        return _in_srgb(image, profile)
    # A profile describes colors only, so it is applied before the alpha.
    color = _in_srgb(image.convert(image.mode[:-1]), profile)
    white = Image.new("RGB", image.size, "white")
    return Image.composite(color, white, image.getchannel("A"))


def _straight_alpha(image: Image.Image) -> Image.Image:
    """The image with its transparency, if any, as a separate, unpremultiplied channel."""
    if image.mode in ("P", "PA", "RGBa"):
        return image.convert("RGBA")
    if image.mode == "La":
        return image.convert("LA")
    if image.mode in ("1", "L", "RGB") and "transparency" in image.info:
        return image.convert("RGBA" if image.mode == "RGB" else "LA")
    return image.convert("L") if image.mode == "1" else image


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass  # broken, or made for another kind of image: most viewers ignore it too
        else:
            if converted is not None:
                return converted
    return image.convert("RGB")
