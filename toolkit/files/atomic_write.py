"""Files that are written atomically, whatever stops the writing."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

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


def staged_prefix(path: Path) -> str:
    """Returns what the names begin with of the files that a killed process may leave of `replacing` one."""
    return f".styleport-{path.name[:40]}-"  # as long as a file system may take it, whatever the name


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """Opens a file beside the target, which takes its place at the end: no reader ever sees half of it.

    Args:
        path: the file, in an existing folder; it stays as it is where the block raises.
        mode: its permissions; by default those that the umask gives.
    """
    staged = path.with_name(f"{staged_prefix(path)}{secrets.token_hex(8)}.tmp")
    try:
        with staged.open("xb") as stream:  # unlike tempfile's, with the permissions the umask gives
            yield stream
            stream.flush()
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        staged.replace(path)
    finally:
        with suppress(OSError):  # after the rename there is nothing left to remove
            staged.unlink()


def sync(path: Path) -> None:
    """Flushes a file, or a folder's listing, to the disk, so that a rename never outlives what it names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(data: bytes, path: Path) -> None:
    """Writes a file atomically.

    Raises:
        InputError: the folder is missing or cannot be written.
        WorkError: the disk is full.
    """
    try:
        with replacing(path) as stream:
            stream.write(data)
    except OSError as error:
        if error.errno in _BAD_PLACE:
            raise InputError(f"cannot write {path}: {error.strerror}; {_BAD_PLACE[error.errno]}") from error
        raise WorkError(f"cannot write {path}: {error.strerror or error}; make room or choose another disk") from error


def make_folder(folder: Path) -> None:
    """Creates a folder, and those above it; raises an InputError where it cannot be created."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot create {folder}: {error.strerror}; choose a folder that can be written") from error
