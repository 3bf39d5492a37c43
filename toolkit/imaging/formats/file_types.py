"""The supported picture formats, their smallest size, and the search for pictures in folders."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from toolkit.errors import InputError

# In smaller pictures, the mirrored borders of the 9x9 convolutions are wider than the maps after two halvings.
MIN_SIDE = 16

FAMILIES = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "AVIF": (".avif",),
}
FORMAT_OF = {suffix: family for family, suffixes in FAMILIES.items() for suffix in suffixes}

READABLE_SUFFIXES = frozenset(FORMAT_OF)
"""Suffixes, in lower case, of the files a folder is searched for."""

WRITABLE_SUFFIXES = frozenset(FORMAT_OF)
"""Suffixes, in lower case, that `save_image` can write."""


HEIC_HINT = (
    "HEIC pictures are not supported; convert it: `heif-convert photo.heic photo.jpg` (libheif), on a Mac "
    "`sips -s format jpeg photo.heic --out photo.jpg`"
)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_heic(stream: BinaryIO) -> bool:
    """Returns whether a file is a HEIC picture, as iPhones take them."""
    stream.seek(0)
    start = stream.read(12)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS


ANIMATED = frozenset(("GIF", "WEBP", "PNG", "AVIF"))
"""Pillow's names of the formats whose files may be animations."""


def clip_hint(name: str) -> str:
    """Returns what to do with an animation or a video."""
    suffix = PurePath(name).suffix.lower()
    output = suffix if suffix in (".gif", ".webp", ".mp4", ".mov", ".mkv", ".webm") else ".webp"
    return f"paint it with `styleport video {shlex.quote(name)} STYLE -o painted{output}`"


# The demuxers of FFmpeg for the kinds of videos that are read.
ISO_VIDEO, MATROSKA = "mp4", "matroska"
_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_PICTURE_BRANDS = (*_HEIC_BRANDS, b"avif", b"avis")


def video_demuxer(stream: BinaryIO) -> str | None:
    """Returns the demuxer of a file that is a video (MP4, MOV, WebM, MKV), by its first bytes; None for others."""
    stream.seek(0)
    start = stream.read(12)
    stream.seek(0)
    if start.startswith(b"\x1aE\xdf\xa3"):
        return MATROSKA
    is_picture = start[4:8] == b"ftyp" and start[8:12] in _PICTURE_BRANDS
    return ISO_VIDEO if start[4:8] in _ISO_BOXES and not is_picture else None


def is_heic_name(path: Path) -> bool:
    """Returns whether a file is a HEIC picture by its suffix."""
    return path.suffix.lower() in (".heic", ".heif")


# Formats that can hold a photo's colors, so that a result may have its photo's format.
_PHOTO_FAMILIES = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF")


def writable_suffix(given: str | None) -> str | None:
    """Returns the value of `--suffix` in lower case with its dot; refuses a suffix that cannot be written."""
    suffix = given if given is None else "." + given.lstrip(".").lower()
    if suffix is not None and suffix not in WRITABLE_SUFFIXES:
        raise InputError(f"unknown --suffix {suffix!r}: use one of {' '.join(sorted(WRITABLE_SUFFIXES))}")
    return suffix


def result_suffix(path: PurePath) -> str:
    """Returns the suffix of a photo's result: the photo's own in lower case, if it can be written and is not GIF.

    Otherwise it is `.png`: GIF has only 256 colors.
    """
    suffix = path.suffix.lower()
    return suffix if FORMAT_OF.get(suffix) in _PHOTO_FAMILIES else ".png"


def find_images(path: str | Path, recursive: bool = False) -> list[Path]:
    """Lists the pictures a path stands for.

    Args:
        path: a file, or a folder, which stands for the files in it (not hidden) with one of
            `READABLE_SUFFIXES` in any case.
        recursive: subfolders are searched too, except hidden ones and links.

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
        names = sorted(files_in(path, recursive))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; give a picture or a folder") from error
    found = [name for name in names if _looks_like_picture(name)]
    if not found:
        raise InputError(
            f"the folder {path} holds no picture; put files there with one of {' '.join(sorted(FORMAT_OF))}"
            + ("" if recursive or not _has_folders(path) else ", or give --recursive for the folders in it")
        )
    return found


def files_in(folder: Path, recursive: bool = False) -> Iterator[Path]:
    """Yields a folder's entries; with `recursive`, the files below it, except in hidden folders and links."""
    if not recursive:
        yield from folder.iterdir()
        return
    for top, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(top, name) for name in names)


def _raise(error: OSError) -> None:
    raise error


def _has_folders(path: Path) -> bool:
    return any(entry.is_dir() and not entry.name.startswith(".") for entry in path.iterdir())


def _looks_like_picture(path: Path) -> bool:
    return path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".") and path.is_file()
