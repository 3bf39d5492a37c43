"""Opens files that others may have put there: a pipe or a device under a file's name is refused, never waited for."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import InputError


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file, or a link to one, to read; an OSError where it is a folder, a pipe, a socket or a device."""
    # Looked at first: to open some devices does something. Looked at again: another thing may be there by now.
    _check(Path(path).stat(), path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _check(os.fstat(descriptor), path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "a pipe, a socket or a device, not a file", str(path))


def read_bounded(path: str | Path, max_bytes: int, kind: str) -> bytes:
    """Reads a file that is small if it is what it is taken for, its `kind` with an article; refuses a larger one."""
    with open_file(path) as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise InputError(f"{path}: larger than {max_bytes} bytes, not {kind}")
    return content
