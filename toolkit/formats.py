"""The kinds of picture files, how small they may be, and finding them in folders."""

from pathlib import Path

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
}
FORMAT_OF = {suffix: family for family, suffixes in FAMILIES.items() for suffix in suffixes}

READABLE_SUFFIXES = frozenset(FORMAT_OF)
"""Suffixes, in lower case, of the files a folder is searched for."""

WRITABLE_SUFFIXES = frozenset(FORMAT_OF)
"""Suffixes, in lower case, that `save_image` can write."""


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
            f"the folder {path} holds no picture; put files there with one of {' '.join(sorted(FORMAT_OF))}"
        )
    return found


def _looks_like_picture(path: Path) -> bool:
    return path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".") and path.is_file()
