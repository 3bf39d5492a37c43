"""Writes files atomically, even if the writing is interrupted."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import InputError, WorkError

# Failures that the caller can fix with another path; all others are failures of the machine.
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
    """Returns the prefix of temporary files that a killed process may leave of `replacing`."""
    return f".styleport-{path.name[:40]}-"  # short enough for any file system


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[BinaryIO]:
    """Opens a temporary file that replaces the target at the end, with `mode` or the umask's permissions.

    Readers never see a partial file; the target is unchanged if the block raises.
    """
    staged = path.with_name(f"{staged_prefix(path)}{secrets.token_hex(8)}.tmp")
    try:
        with staged.open("xb") as stream:  # unlike tempfile's, with the umask's permissions
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
    """Flushes a file, or a folder's listing, to the disk, so that a rename never survives without its contents."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file to be written atomically, as `replacing` does, with failures in one line.

    Raises:
        InputError: the folder is missing or not writable.
        WorkError: the disk is full.
    """
    try:
        with replacing(path) as stream:
            yield stream
    except OSError as error:
        if error.errno in _BAD_PLACE:
            raise InputError(f"cannot write {path}: {error.strerror}; {_BAD_PLACE[error.errno]}") from error
        raise WorkError(f"cannot write {path}: {error.strerror or error}; make room or choose another disk") from error


def write_atomically(data: bytes, path: Path) -> None:
    """Writes a file atomically; raises what `writing` does."""
    with writing(path) as stream:
        stream.write(data)


def make_folder(folder: Path) -> None:
    """Creates a folder and its parents; raises an InputError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot create {folder}: {error.strerror}; choose a folder that can be written") from error
