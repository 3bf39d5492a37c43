"""Swaps two folders in one step, so that both names always exist, even if a process is killed."""

import ctypes
import errno
import os
import sys
import tempfile
from pathlib import Path

# Flags of Linux's renameat2(2), and of renamex_np(2) on macOS.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2
# Errors of kernels and file systems without support.
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def atomic_swap(first: Path, second: Path) -> None:
    """Exchanges the names of two folders in one file system, or raises an OSError and changes nothing.

    Without system support this takes three renames, and a process that is killed between them leaves a folder under a
    hidden name beside `first`.
    """
    if not _swap_at_once(first, second):
        _swap_by_renames(first, second)


def _swap_at_once(first: Path, second: Path) -> bool:
    library, names = ctypes.CDLL(None, use_errno=True), (os.fsencode(first), os.fsencode(second))
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    elif sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(*names, _RENAME_SWAP)
    else:
        return False
    code = ctypes.get_errno()
    if failed and code not in _UNSUPPORTED:
        raise OSError(code, os.strerror(code), str(first), None, str(second))
    return not failed


def _swap_by_renames(first: Path, second: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{first.name}-", dir=first.parent) as folder:
        aside = Path(folder) / second.name
        second.rename(aside)
        try:
            first.rename(second)
        except OSError:
            aside.rename(second)
            raise
        aside.rename(first)
