"""Opens untrusted paths: a pipe or a device in place of a file is refused, never waited for."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from toolkit.errors import InputError


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a file, or a link to one, for reading; raises an OSError for a folder, a pipe, a socket or a device."""
    # Checked before, because opening some devices has effects; and after, because the file may have been replaced.
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
    """Reads a file of a kind that is always small; refuses a larger file. `kind` has an article."""
    with open_file(path) as stream:
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise InputError(f"{path}: larger than {max_bytes} bytes, not {kind}")
    return content
