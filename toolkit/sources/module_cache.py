"""The cache folder of fetched modules: one per user, safe from modules planted by other users."""

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
    """Returns this user's default folder: in `XDG_CACHE_HOME`, by default `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The standard says to ignore relative paths.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "styleport" / "tfhub_modules"


def prepare(chosen: str | None) -> Path:
    """Creates the folder if it is missing, and checks its owner.

    The folder in TFHUB_CACHE_DIR may be shared; the default folder is private.
    """
    folder = Path(chosen) if chosen else default()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_owner(folder)
        if not chosen and stat.S_IMODE(folder.stat().st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be created: {error.strerror}; set TFHUB_CACHE_DIR to a folder that you may write to"
        ) from error
    return folder


def check_owner(path: Path) -> None:
    """Refuses files and links of other users, except the administrator's."""
    for status in (path.lstat(), path.stat()):
        if status.st_uid not in (os.geteuid(), _ROOT):
            raise InputError(
                f"{path}: refused: another user (number {status.st_uid}) made it; remove it, or set TFHUB_CACHE_DIR to "
                "a folder of yours"
            )


def record(folder: Path) -> Path:
    """Returns the path of the file with a module's sha256 at unpacking."""
    return folder.with_name(folder.name + ".sha256")


def write_record(unpacked: Path, folder: Path) -> None:
    """Writes the sha256 of an unpacked module, which will be moved to `folder`."""
    with replacing(record(folder)) as stream:
        stream.write(f"{digest(unpacked)}\n".encode())


def discard_changed(folder: Path, max_bytes: int) -> str | None:
    """Removes a module that has changed since it was unpacked, to be fetched again; returns what was wrong, or None.

    A module without a record, as TensorFlow Hub itself leaves it, is accepted and gets a record. Graphs of more than
    `max_bytes` are not parsed. Refuses a module of another user.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    check_owner(folder)
    path = record(folder)
    if not path.exists():
        with contextlib.suppress(OSError):  # a read-only cache works as well
            write_record(folder, folder)
    elif read_bounded(path, _DIGEST_LENGTH + 1, "a sha256").decode("ascii", "replace").strip() != _digest(folder):
        lacking = missing(folder, max_bytes)
        shutil.rmtree(folder)
        return f"lacked {lacking}" if lacking else "had changed since it was unpacked"
    return None


def _digest(folder: Path) -> str | None:
    try:
        return digest(folder)
    except InputError:  # it contains files that no SavedModel has
        return None
