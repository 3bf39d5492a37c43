"""The folder that fetched modules are kept in: one a user, where nobody else's work is taken for what was fetched."""

import contextlib
import os
import shutil
import stat
from pathlib import Path

from toolkit.errors import InputError
from toolkit.files.atomic_write import replacing
from toolkit.files.opening import read_bounded
from toolkit.safe_loading.completeness import missing
from toolkit.safe_loading.graph_file import digest

_DIGEST_LENGTH = 64
_ROOT = 0


def default() -> Path:
    """Returns the folder of this user: in `XDG_CACHE_HOME`, by default `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The standard has relative paths ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "styleport" / "tfhub_modules"


def prepare(chosen: str | None) -> Path:
    """Makes the folder where it is missing, and sees to it that it is this user's.

    Where TFHUB_CACHE_DIR names none, which may be shared, it is one that nobody else can look into.
    """
    folder = Path(chosen) if chosen else default()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_owner(folder)
        if not chosen and stat.S_IMODE(folder.stat().st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made: {error.strerror}; set TFHUB_CACHE_DIR to a folder that you may write to"
        ) from error
    return folder


def check_owner(path: Path) -> None:
    """Refuses what another user has put there, be it a link; what the administrator has is taken."""
    for status in (path.lstat(), path.stat()):
        if status.st_uid not in (os.geteuid(), _ROOT):
            raise InputError(
                f"{path}: refused: another user (number {status.st_uid}) made it; remove it, or set TFHUB_CACHE_DIR to "
                "a folder of yours"
            )


def record(folder: Path) -> Path:
    """Returns where it is kept beside a module what its sha256 was when it was unpacked."""
    return folder.with_name(folder.name + ".sha256")


def write_record(unpacked: Path, folder: Path) -> None:
    """Writes what the files are of a module that is unpacked at one place, and is to be at another."""
    with replacing(record(folder)) as stream:
        stream.write(f"{digest(unpacked)}\n".encode())


def discard_changed(folder: Path, max_bytes: int) -> str | None:
    """Removes a module that is not as it was unpacked, so that it is fetched again.

    One without a record, as TensorFlow Hub itself leaves it, is taken as it is, and gets one.

    Args:
        folder: of the module, if it is there.
        max_bytes: a graph larger than this is not looked into.

    Returns:
        What was wrong with it, as in "it lacked a file"; None if nothing was, or it is not there.

    Raises:
        InputError: another user made it.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    check_owner(folder)
    path = record(folder)
    if not path.exists():
        with contextlib.suppress(OSError):  # a cache that may only be read is as good
            write_record(folder, folder)
    elif read_bounded(path, _DIGEST_LENGTH + 1, "a sha256").decode("ascii", "replace").strip() != _digest(folder):
        lacking = missing(folder, max_bytes)
        shutil.rmtree(folder)
        return f"lacked {lacking}" if lacking else "had changed since it was unpacked"
    return None


def _digest(folder: Path) -> str | None:
    try:
        return digest(folder)
    except InputError:  # it has something that no SavedModel has
        return None
