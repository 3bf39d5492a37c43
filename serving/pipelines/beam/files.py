"""Finds, reads and atomically writes files on any of Apache Beam's file systems."""

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from typing import BinaryIO

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from toolkit.errors import InputError, WorkError, one_line
from toolkit.files.opening import open_file

# Beam's pattern characters, which cannot be quoted.
META_CHARACTERS = "*?["
_STAGED_PREFIX = ".styleport-"


def absolute(path: str) -> str:
    """Makes a local path independent of the working directory, which other machines do not share.

    An address, such as `gs://bucket/photos`, stays as it is; refuses one for which no file system is installed.
    """
    if "://" not in path:
        return os.path.abspath(path)  # noqa: PTH100 Path would resolve nothing more and cannot hold patterns
    try:
        FileSystems.get_filesystem(path)
    except ValueError as error:
        scheme = path.partition("://")[0]
        raise InputError(
            f"{path}: no file system for {scheme}:// is installed: Apache Beam's extras bring them, "
            "such as apache-beam[gcp], [aws] or [azure]"
        ) from error
    return path


def find(pattern: str) -> dict[str, int]:
    """Returns the bytes of each file that a pattern matches by its path, sorted.

    In the pattern, which is absolute, `*` and `?` match within a folder, and `**/` stands for any number of folders, or
    none.
    """
    try:
        results = FileSystems.match(variants(pattern))
    except (BeamIOError, OSError) as error:
        raise InputError(f"{pattern}: cannot be listed: {reason(error)}") from error
    found = {metadata.path: metadata.size_in_bytes for result in results for metadata in result.metadata_list}
    return dict(sorted(found.items()))


def variants(pattern: str) -> list[str]:
    """Returns a pattern with its variants without `**/`, which in Beam matches at least one folder."""
    return list(dict.fromkeys([pattern, pattern.replace("**/", "")]))


@contextlib.contextmanager
def reading(path: str) -> Iterator[BinaryIO]:
    """Opens a file without decompression, for seeking; refuses a missing or unreadable file."""
    try:
        with (
            FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
            if "://" in path
            else open_file(path) as stream
        ):
            yield stream
    except (BeamIOError, OSError) as error:
        raise InputError(f"cannot read {path}: {reason(error)}") from error


def write_atomically(data: bytes, path: str, folder: str) -> None:
    """Writes a file atomically, replacing an existing one, under another name in `folder` and with a rename.

    In object stores, where a rename is a copy, the copy appears atomically. The folder is on the same file system;
    `remove_staged` clears it.
    """
    staged = FileSystems.join(folder, f"{_STAGED_PREFIX}{secrets.token_hex(8)}.tmp")
    try:
        with FileSystems.create(staged, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
            stream.write(data)
            if isinstance(stream, io.BufferedWriter):  # a local file
                stream.flush()
                os.fsync(stream.fileno())
        with contextlib.suppress(BeamIOError, OSError):  # exists already, or another worker has just created it
            FileSystems.mkdirs(FileSystems.split(path)[0])
        FileSystems.rename([staged], [path])
    except (BeamIOError, OSError) as error:
        with contextlib.suppress(BeamIOError, OSError):
            FileSystems.delete([staged])
        raise WorkError(
            f"cannot write {path}: {reason(error)}; fix this and run again: results so far are kept"
        ) from error


def remove(path: str) -> None:
    """Removes a file, if it exists; raises a WorkError on failure."""
    try:
        if FileSystems.exists(path):
            FileSystems.delete([path])
    except (BeamIOError, OSError) as error:
        raise WorkError(f"cannot remove {path}: {reason(error)}") from error


def remove_staged(folder: str) -> None:
    """Removes the leftovers of killed workers in a folder."""
    for path in find(FileSystems.join(folder, f"{_STAGED_PREFIX}*.tmp")):
        remove(path)


def reason(error: Exception) -> str:
    """Returns the file system's reason in a few words."""
    causes = getattr(error, "exception_details", None)
    if isinstance(causes, dict) and causes:
        error = next(iter(causes.values()))
    if isinstance(error.__context__, OSError):  # Beam wraps the operating system's own error
        error = error.__context__
    return getattr(error, "strerror", None) or one_line(error)
