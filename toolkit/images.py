"""Pictures: decode, orient, resize, colour, encode, with NumPy and Pillow alone.

A picture is float32 RGB in [0, 1], shape [H, W, 3]; 8-bit samples exist at the edges only.
"""

import errno
import io
import os
import secrets
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from toolkit.errors import InputError, WorkError
from toolkit.inputs import MIN_SIDE
from toolkit.opening import open_file

Picture = np.ndarray
"""float32 RGB in [0, 1], shape [H, W, 3]."""

_FAMILIES = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
}
_FORMAT_OF = {suffix: family for family, suffixes in _FAMILIES.items() for suffix in suffixes}

READABLE_SUFFIXES = frozenset(_FORMAT_OF)
"""Suffixes, in lower case, of the files a folder is searched for."""

WRITABLE_SUFFIXES = frozenset(_FORMAT_OF)
"""Suffixes, in lower case, that `save_image` can write."""

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # the Y row of YIQ

# What the caller can mend by naming another place; any other failed write is the machine's doing.
_BAD_PLACE = {
    errno.EACCES: "choose a folder that can be written",
    errno.EPERM: "choose a folder that can be written",
    errno.EROFS: "choose a folder that can be written",
    errno.ENOENT: "create the folder first",
    errno.ENOTDIR: "choose a path inside a folder",
    errno.EISDIR: "give the name of a file",
    errno.ENAMETOOLONG: "choose a shorter name",
}

# Changing the warning filters, as decoding does, is not safe in two threads at once.
_DECODING = threading.Lock()


def load_image(source: str | Path | Image.Image | np.ndarray, max_size: int | None = None) -> Picture:
    """Loads a picture upright, opaque and in sRGB, whatever form it was stored in.

    Args:
        source: a JPEG, PNG, WebP, TIFF, BMP or GIF file (its first frame), a Pillow image, or an
            array [H, W], [H, W, 3] or [H, W, 4] of uint8, uint16 or floats in [0, 1]. What is
            transparent is composited on white. Both sides are at least 16 pixels.
        max_size: bound on the longer side in pixels, at least 16; a larger picture is
            scaled down with its aspect kept, a smaller one is never enlarged.

    Returns:
        A new float32 RGB picture in [0, 1], shape [H, W, 3].

    Raises:
        InputError: the file is missing, unreadable, broken or no picture, the picture is too small
            or too large, or the array has another shape, dtype or range.
    """
    if max_size is not None and max_size < MIN_SIDE:
        raise InputError(f"cannot bound a picture to {max_size} px; the bound must be at least {MIN_SIDE} px")
    if isinstance(source, np.ndarray):
        return _shrunk(_from_array(source), "the array", max_size)
    if isinstance(source, Image.Image):
        with _decoding("the Pillow image"):
            return _decode(source, "the Pillow image", max_size)
    try:
        with open_file(source) as stream:
            return decode_image(stream, str(source), max_size)
    except OSError as error:
        raise InputError(
            f"cannot read {source}: {error.strerror or error}; give the path of a picture that can be read"
        ) from error


def decode_image(stream: BinaryIO, name: str, max_size: int | None = None) -> Picture:
    """Loads a picture from an open file, wherever that lies.

    Args:
        stream: at its start; it can seek.
        name: what an error calls it.
        max_size: see `load_image`.

    Returns:
        A new float32 RGB picture in [0, 1], shape [H, W, 3].

    Raises:
        InputError: the file is empty, broken or no picture, or the picture is too small or too large.
    """
    with _opened(stream, name) as image:
        return _decode(image, name, max_size)


def stored_size(stream: BinaryIO, name: str, max_size: int | None = None) -> tuple[int, int]:
    """Reads from a picture's header the size that it will be decoded to, as it lies in the file.

    Args:
        stream: at its start; it can seek.
        name: what an error calls it.
        max_size: see `load_image`.

    Returns:
        Width and height in pixels; what the EXIF orientation makes upright has them the other way round.

    Raises:
        InputError: as `decode_image`, as far as the header tells.
    """
    with _opened(stream, name) as image:
        _check_size(*image.size, name)
        return _bounded(*image.size, name, max_size)


def resize(picture: Picture, height: int, width: int) -> Picture:
    """Resamples a picture with an antialiasing Lanczos filter, in float precision.

    Args:
        picture: float32 RGB in [0, 1], shape [H, W, 3].
        height: pixels, at least 1.
        width: pixels, at least 1.

    Returns:
        A new float32 RGB picture in [0, 1], shape [height, width, 3].

    Raises:
        InputError: the shape is another, or a side is less than 1.
    """
    _check_shape(picture)
    if height < 1 or width < 1:
        raise InputError(f"cannot resize to {width}x{height} px; both sides must be at least 1 px")
    channels = (Image.fromarray(np.ascontiguousarray(picture[..., channel], np.float32)) for channel in range(3))
    return _resampled(channels, (width, height))


def square(picture: Picture, side: int) -> Picture:
    """Crops the centre square of a picture and resizes it: the form a style predictor was trained on.

    Args:
        picture: float32 RGB in [0, 1], shape [H, W, 3].
        side: pixels, at least 1; style predictors were trained on 256.

    Returns:
        A new float32 RGB picture in [0, 1], shape [side, side, 3].

    Raises:
        InputError: the shape is another, or `side` is less than 1.
    """
    _check_shape(picture)
    height, width = picture.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return resize(picture[top : top + short, left : left + short], side, side)


def quarters(picture: Picture) -> list[Picture]:
    """Cuts a picture into its quarters, row by row.

    Args:
        picture: float32 RGB in [0, 1], shape [H, W, 3]; of an odd side the last pixels are left out.

    Returns:
        Four views of it.
    """
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return [picture[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]


def luminance(picture: Picture) -> np.ndarray:
    """Returns the Y of YIQ of a picture [H, W, 3], as float32 [H, W, 1]."""
    return (picture @ _LUMA)[..., None]


def preserve_color(content: Picture, stylized: Picture) -> Picture:
    """Paints the luminance of one picture in the colours of another (Gatys et al. 2016, arXiv 1606.05897).

    Where the pair of luminance and colour lies outside RGB, the colour is paled, never the luminance
    changed.

    Args:
        content: the picture that gives I and Q of YIQ, float32 RGB in [0, 1], shape [H, W, 3].
        stylized: the picture that gives Y, of the same form and size.

    Returns:
        A new float32 RGB picture in [0, 1], shape [H, W, 3].

    Raises:
        InputError: the two shapes differ.
    """
    _check_shape(content)
    _check_shape(stylized)
    if content.shape != stylized.shape:
        raise InputError(
            f"cannot keep the colours of a {_extent(content)} picture in a {_extent(stylized)} one; "
            "resize one of them to the other's size"
        )
    luma = luminance(stylized)
    # Y enters R, G and B of YIQ with weight 1, so content minus its own Y is what I and Q contribute.
    chroma = content - luminance(content)
    room = np.where(chroma > 0, 1 - luma, luma) / np.maximum(np.abs(chroma), 1e-6)
    paling = np.minimum(room.min(axis=-1, keepdims=True), 1.0)
    return np.clip(luma + paling * chroma, 0.0, 1.0).astype(np.float32)


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """Rounds float samples in [0, 1] to 8 bits.

    Args:
        picture: floats of any shape; what lies outside [0, 1] is clipped.

    Returns:
        uint8 samples of the same shape.

    Raises:
        WorkError: a sample is NaN or infinite.
    """
    if not np.isfinite(picture).all():
        raise WorkError(
            "the picture holds samples that are not finite (NaN or infinity); "
            "the model that made it has diverged, check its weights and inputs"
        )
    return np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8)


def from_uint8(samples: np.ndarray) -> np.ndarray:
    """Turns 8-bit samples into floats in [0, 1]; `to_uint8` gives the same samples back.

    Args:
        samples: uint8 of any shape.

    Returns:
        float32 in [0, 1], of the same shape.
    """
    return samples.astype(np.float32) / np.float32(255.0)


def to_pillow(picture: Picture) -> Image.Image:
    """Turns a picture into a Pillow image, which notebooks show.

    Args:
        picture: float32 RGB in [0, 1], shape [H, W, 3].

    Returns:
        An 8-bit RGB image.

    Raises:
        InputError: the shape is another.
        WorkError: a sample is NaN or infinite.
    """
    _check_shape(picture)
    return Image.fromarray(to_uint8(picture))


def encode_png(picture: Picture) -> bytes:
    """Encodes a picture as an 8-bit RGB PNG.

    Args:
        picture: float32 RGB in [0, 1], shape [H, W, 3].

    Returns:
        The bytes of a PNG file.

    Raises:
        InputError: the shape is another.
        WorkError: a sample is NaN or infinite.
    """
    return _encode(picture, "PNG", quality=100)


def save_image(picture: Picture, path: str | Path, quality: int = 95) -> None:
    """Saves a picture as a file that is written whole or not at all.

    Args:
        picture: float32 RGB in [0, 1], shape [H, W, 3].
        path: the file, in an existing folder; its suffix, one of `WRITABLE_SUFFIXES`, is the format.
            A file of that name is replaced.
        quality: 1 to 100, for JPEG and WebP; the other formats do not use it.

    Raises:
        InputError: the suffix is unknown, the folder is missing or cannot be written, or the quality
            or the shape is out of range.
        WorkError: a sample is NaN or infinite, the format cannot hold the picture, or the disk is full.
    """
    path = Path(path)
    family = _FORMAT_OF.get(path.suffix.lower())
    if family is None:
        raise InputError(
            f"cannot write {path}: unknown suffix {path.suffix!r}; use one of {' '.join(sorted(_FORMAT_OF))}"
        )
    if not 1 <= quality <= 100:
        raise InputError(f"cannot write {path} with quality {quality}; choose 1 to 100")
    try:
        data = _encode(picture, family, quality)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise WorkError(
            f"cannot write {path}: {family} cannot hold this {_extent(picture)} picture "
            f"({_one_line(error)}); choose another format"
        ) from error
    _write_whole(data, path)


def save_animation(pictures: Sequence[Picture], path: str | Path, seconds: float = 4.0) -> None:
    """Saves pictures as one moving picture, written whole or not at all.

    Args:
        pictures: float32 RGB in [0, 1], shape [H, W, 3] each, in order; at least one.
        path: the file, in an existing folder; its suffix is `.gif` or `.webp`. A file of that name is replaced.
        seconds: how long it runs before it starts again; the last picture is held for a second more.

    Raises:
        InputError: the suffix is another, there is no picture, or the folder is missing or cannot be written.
        WorkError: a sample is NaN or infinite, or the disk is full.
    """
    path = Path(path)
    family = _FORMAT_OF.get(path.suffix.lower())
    if family not in ("GIF", "WEBP"):
        raise InputError(f"cannot write {path}: a moving picture is a .gif or .webp file, not {path.suffix!r}")
    if not pictures:
        raise InputError(f"cannot write {path}: there is no picture to show")
    frames = [Image.fromarray(to_uint8(picture)) for picture in pictures]
    durations = [round(1000 * seconds / len(frames))] * len(frames)
    durations[-1] += 1000
    stream = io.BytesIO()
    frames[0].save(stream, family, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    _write_whole(stream.getvalue(), path)


def find_images(path: str | Path) -> list[Path]:
    """Lists the pictures a path stands for.

    Args:
        path: a file, which gives itself, or a folder, which gives the files in it (not in folders
            below it, and no hidden ones) with one of `READABLE_SUFFIXES` in any case.

    Returns:
        At least one path, sorted.

    Raises:
        InputError: the path does not exist, or the folder cannot be read or holds no picture.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            path.stat()
            return [path]
        names = sorted(path.iterdir())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a picture or a folder") from error
    found = [name for name in names if _looks_like_picture(name)]
    if not found:
        raise InputError(
            f"the folder {path} holds no picture; put files there with one of {' '.join(sorted(_FORMAT_OF))}"
        )
    return found


def _looks_like_picture(path: Path) -> bool:
    return path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".") and path.is_file()


@contextmanager
def _opened(stream: BinaryIO, name: str) -> Iterator[Image.Image]:
    if not stream.read(1):
        raise InputError(f"cannot read {name}: the file is empty; give a picture")
    stream.seek(0)
    with _decoding(name), Image.open(stream, formats=tuple(_FAMILIES)) as image:
        yield image


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turns whatever Pillow raises, and its warning of a decompression bomb, into an InputError."""
    try:
        with _DECODING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except InputError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(
            f"cannot read {name}: it claims more than {Image.MAX_IMAGE_PIXELS} pixels; give a smaller picture"
        ) from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"cannot read {name}: it is not a picture of a known kind; give one of {', '.join(_FAMILIES)}"
        ) from error
    except Exception as error:  # on broken bytes Pillow's decoders raise nearly anything
        raise InputError(
            f"cannot read {name}: the picture is broken or cut short ({_one_line(error)}); give an undamaged copy"
        ) from error


def _decode(image: Image.Image, name: str, max_size: int | None) -> Picture:
    _check_size(*image.size, name)
    image.load()
    image = _oriented(image)
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = _deep_grey(image, name)
        if not profile:
            return _shrunk(np.repeat(grey[..., None], 3, axis=-1), name, max_size)
        image = Image.fromarray(to_uint8(grey))  # a profile is applied to 8 bits
    image = _on_white(image, profile)
    size = _bounded(*image.size, name, max_size)
    if size == image.size:
        return from_uint8(np.asarray(image))
    # In 8 bits Pillow rounds and clips between its two passes; one channel at a time keeps floats affordable.
    return _resampled((channel.convert("F") for channel in image.split()), size, 255.0)


def _oriented(image: Image.Image) -> Image.Image:
    """Applies the EXIF orientation, which no damage elsewhere in the EXIF block can prevent."""
    try:
        # Not ImageOps.exif_transpose, which also writes the whole block anew and fails on odd tags.
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # a broken EXIF block is no reason to refuse the picture
        return image
    return image.transpose(_ORIENTATIONS[orientation]) if orientation in _ORIENTATIONS else image


def _deep_grey(image: Image.Image, name: str) -> np.ndarray:
    """Grey samples of 16 or 32 bits as float32 in [0, 1], shape [H, W]."""
    samples = np.asarray(image)
    if image.mode == "F":
        if not np.isfinite(samples).all():
            raise InputError(
                f"cannot read {name}: it holds samples that are not finite (NaN or infinity); replace them"
            )
        return np.clip(samples, 0.0, 1.0)
    if samples.min() < 0 or samples.max() > 65535:
        raise InputError(
            f"cannot read {name}: its samples reach from {samples.min()} to {samples.max()}, "
            "outside 0 to 65535; store it with 16 bits"
        )
    grey = samples.astype(np.float32) / np.float32(65535.0)
    if "transparency" in image.info:
        grey[samples == image.info["transparency"]] = 1.0
    return grey


def _on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image as opaque 8-bit sRGB."""
    image = _straight_alpha(image)
    if image.mode not in ("LA", "RGBA"):
        return _in_srgb(image, profile)
    # A profile speaks of colours alone, so it is applied before the alpha is.
    color = _in_srgb(image.convert(image.mode[:-1]), profile)
    white = Image.new("RGB", image.size, "white")
    return Image.composite(color, white, image.getchannel("A"))


def _straight_alpha(image: Image.Image) -> Image.Image:
    """The image with its transparency, if any, as a channel of its own that is not multiplied in."""
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


def _from_array(samples: np.ndarray) -> Picture:
    if samples.ndim == 2:
        samples = np.repeat(samples[..., None], 3, axis=-1)
    if samples.ndim != 3 or samples.shape[2] not in (3, 4):
        raise InputError(
            f"cannot read an array of shape {list(samples.shape)} as a picture; give [H, W], [H, W, 3] or [H, W, 4]"
        )
    height, width = samples.shape[:2]
    _check_size(width, height, "the array")
    picture = _unit_range(samples)
    if picture.shape[2] == 4:
        alpha = picture[..., 3:]
        picture = picture[..., :3] * alpha + (1 - alpha)
    return picture


def _unit_range(samples: np.ndarray) -> np.ndarray:
    if samples.dtype in (np.uint8, np.uint16):
        return samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)
    if not np.issubdtype(samples.dtype, np.floating):
        raise InputError(
            f"cannot read an array of dtype {samples.dtype} as a picture; give uint8, uint16 or floats in [0, 1]"
        )
    low, high = samples.min(), samples.max()
    # One 8-bit step is left to rounding and resampling; more is another range, such as 0 to 255.
    if not (low >= -1 / 255 and high <= 256 / 255):
        raise InputError(f"cannot read floats from {low:g} to {high:g} as a picture; scale them to [0, 1], without NaN")
    return np.clip(samples, 0.0, 1.0).astype(np.float32)


def _shrunk(picture: Picture, name: str, max_size: int | None) -> Picture:
    height, width = picture.shape[:2]
    new_width, new_height = _bounded(width, height, name, max_size)
    return picture if (new_width, new_height) == (width, height) else resize(picture, new_height, new_width)


def _bounded(width: int, height: int, name: str, max_size: int | None) -> tuple[int, int]:
    """Width and height scaled down so that the longer is at most `max_size`."""
    longer = max(width, height)
    if max_size is None or longer <= max_size:
        return width, height
    new_width, new_height = round(width * max_size / longer), round(height * max_size / longer)
    if min(new_width, new_height) < MIN_SIDE:
        raise InputError(
            f"cannot bound {name} to {max_size} px: its {width}x{height} px would become "
            f"{new_width}x{new_height} px, below {MIN_SIDE} px on a side; choose a larger bound"
        )
    return new_width, new_height


def _resampled(channels: Iterable[Image.Image], size: tuple[int, int], white: float = 1.0) -> Picture:
    """Float channels, of samples up to `white`, at another width and height as one picture."""
    resized = [np.asarray(channel.resize(size, Image.Resampling.LANCZOS)) for channel in channels]
    return np.clip(np.stack(resized, axis=-1) / np.float32(white), 0.0, 1.0)


def _check_size(width: int, height: int, name: str) -> None:
    if min(width, height) < MIN_SIDE:
        raise InputError(f"cannot use {name}: it is {width}x{height} px; both sides must be at least {MIN_SIDE} px")


def _check_shape(picture: np.ndarray) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise InputError(f"a picture must have shape [H, W, 3], not {list(picture.shape)}")


def _encode(picture: Picture, family: str, quality: int) -> bytes:
    _check_shape(picture)
    options: dict[str, int] = {"quality": quality} if family in ("JPEG", "WEBP") else {}
    if family == "JPEG":
        options["subsampling"] = 0  # strokes of pure colour smear when chroma is halved
    stream = io.BytesIO()
    Image.fromarray(to_uint8(picture)).save(stream, family, **options)
    return stream.getvalue()


def _write_whole(data: bytes, path: Path) -> None:
    """Writes beside the target and renames, so that no reader ever sees half a file."""
    staged = path.with_name(f".styleport-{secrets.token_hex(8)}.tmp")
    try:
        with staged.open("xb") as stream:  # unlike tempfile's, with the permissions the umask gives
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
    except OSError as error:
        if error.errno in _BAD_PLACE:
            raise InputError(f"cannot write {path}: {error.strerror}; {_BAD_PLACE[error.errno]}") from error
        raise WorkError(f"cannot write {path}: {error.strerror or error}; make room or choose another disk") from error
    finally:
        with suppress(OSError):  # after the rename there is nothing left to remove
            staged.unlink()


def _extent(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]} px"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
