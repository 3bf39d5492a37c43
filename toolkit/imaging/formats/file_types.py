"""The kinds of picture files, how small they may be, and finding them in folders."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from toolkit.errors import InputError

# Under this the mirrored borders of the 9x9 convolutions are wider than what is left after two halvings.
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
    "pictures of HEIC are not read; convert it: `heif-convert photo.heic photo.jpg` (libheif), on a Mac "
    "`sips -s format jpeg photo.heic --out photo.jpg`"
)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_heic(stream: BinaryIO) -> bool:
    """Returns whether a file is a HEIC picture, as iPhones take them."""
    stream.seek(0)
    start = stream.read(12)
    return start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS


def is_heic_name(path: Path) -> bool:
    """Returns whether a file is a HEIC picture by its suffix."""
    return path.suffix.lower() in (".heic", ".heif")


# Formats that hold a photo's colors, so that a result may be of the same.
_PHOTO_FAMILIES = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF")


def writable_suffix(given: str | None) -> str | None:
    """Reads the option `--suffix`.

    Args:
        given: with or without a dot, in any case; None for that of each photo.

    Returns:
        The suffix in lower case with its dot; None for None.

    Raises:
        InputError: it is of no kind of picture that can be written.
    """
    suffix = given if given is None else "." + given.lstrip(".").lower()
    if suffix is not None and suffix not in WRITABLE_SUFFIXES:
        raise InputError(f"unknown --suffix {suffix!r}: use one of {' '.join(sorted(WRITABLE_SUFFIXES))}")
    return suffix


def result_suffix(path: PurePath) -> str:
    """Returns the suffix of a result that is of the same kind as its photo.

    Args:
        path: the photo's.

    Returns:
        Its own suffix in lower case; `.png` where that is none that can be written, or where its format, GIF, has 256
        colors.
    """
    suffix = path.suffix.lower()
    return suffix if FORMAT_OF.get(suffix) in _PHOTO_FAMILIES else ".png"


def find_images(path: str | Path, recursive: bool = False) -> list[Path]:
    """Lists the pictures a path stands for.

    Args:
        path: a file, which gives itself, or a folder, which gives the files in it (no hidden ones) with one of
            `READABLE_SUFFIXES` in any case.
        recursive: the folders below a folder are searched, too, but for hidden ones and links to folders.

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
    """Yields what a folder holds; with `recursive`, what those below it hold, but for hidden ones and links."""
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
