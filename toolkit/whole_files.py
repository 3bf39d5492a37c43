"""Files that are written whole or not at all, whatever stops the writing."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

from toolkit.errors import InputError, WorkError

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


def write_whole(data: bytes, path: Path) -> None:
    """Writes beside the target and renames, so that no reader ever sees half a file.

    Args:
        data: all of it.
        path: the file, in an existing folder; a file of that name is replaced.

    Raises:
        InputError: the folder is missing or cannot be written.
        WorkError: the disk is full.
    """
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


def make_folder(folder: Path) -> None:
    """Creates a folder, and those above it, where they are missing.

    Args:
        folder: its path.

    Raises:
        InputError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot create {folder}: {error.strerror}; choose a folder that can be written") from error
