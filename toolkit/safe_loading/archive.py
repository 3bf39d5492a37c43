"""Checks a packed SavedModel before a byte of it is unpacked, and unpacks it in the same way."""

import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from toolkit.errors import InputError, as_input_error

SUFFIXES = (".tar.gz", ".tgz", ".tar")
MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")
MAX_MEMBERS = 10_000
# tarfile reads a header at once; only extended headers, which hold long names, are longer than a block.
MAX_HEADER_BYTES = 1 << 20
MAX_ALL_HEADERS_BYTES = 1 << 25
_GZIP_MAGIC = b"\x1f\x8b"
# Linux's limit of a path.
MAX_NAME_LENGTH = 4096
_BLOCK = 512
_COPIED_BYTES = 1 << 16


class _Headers:
    """A decompressed archive of which only the headers are read, with limits on each and on their sum."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name, self._total = stream, name, 0
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        # Empty reads count too, against an endless loop at the end of the file.
        self._total += max(size, _BLOCK)
        if not 0 <= size <= MAX_HEADER_BYTES or self._total > MAX_ALL_HEADERS_BYTES:
            raise InputError(f"{self._name}: refused: a header of the archive is larger than any name needs")
        return self._stream.read(size)


def check_archive(stream: IO[bytes], name: str, max_bytes: int) -> None:
    """Refuses an archive that is not just a SavedModel's files and folders, before anything is written.

    Args:
        stream: a `.tar` or `.tar.gz`, from its first byte; its position afterwards is undefined.
        name: the archive's name in error messages.
        max_bytes: the largest sum of the members' sizes.

    Raises:
        InputError: it is truncated or not an archive, a member leaves the folder or is a link or a device, two have the
            same name, it would unpack to too much, or it contains no SavedModel.
    """
    names = {path for _, path, _ in _members(stream, name, max_bytes)}
    if not any(model in names for model in MODEL_FILES):
        raise InputError(f"{name}: holds no SavedModel: {MODEL_FILES[0]} is not at the archive's top")


def unpack(stream: IO[bytes], folder: Path, name: str, max_bytes: int) -> None:
    """Writes the files and folders of an archive into an empty folder, reading it exactly as `check_archive` does."""
    for member, path, content in _members(stream, name, max_bytes):
        target = folder / path
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            left = member.size
            while left and (block := content.read(min(left, _COPIED_BYTES))):
                file.write(block)
                left -= len(block)


def _members(stream: IO[bytes], name: str, max_bytes: int) -> Iterator[tuple[tarfile.TarInfo, str, IO[bytes]]]:
    """Yields each member with its path and a stream at its content, which may be left unread."""
    stream.seek(0)
    zipped = stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    stream.seek(0)
    unzipped: Any = gzip.GzipFile(fileobj=stream) if zipped else stream
    with as_input_error(f"{name}: not a complete .tar.gz", "fetch it again"):
        with tarfile.open(fileobj=_Headers(unzipped, name), mode="r:") as archive:  # type: ignore[call-overload]
            for member, path in _checked(archive, name, max_bytes):
                yield member, path, unzipped
            unzipped.seek(archive.offset)
        # Reading to the end verifies a gzip stream's checksum. Without the check for the final zeros, an uncompressed
        # archive could be truncated between two members.
        end = 0
        while padding := unzipped.read(_COPIED_BYTES):
            end += len(padding)
            if padding.strip(b"\0") or end > MAX_HEADER_BYTES:
                end = 0
                break
        if end < _BLOCK:
            raise InputError(f"{name}: refused: the archive does not end after its last member; fetch it again")


def _checked(archive: tarfile.TarFile, name: str, max_bytes: int) -> Iterator[tuple[tarfile.TarInfo, str]]:
    kinds: dict[str, bool] = {}
    total = count = 0
    # One at a time: the size of a member is checked before its bytes are skipped.
    while member := archive.next():
        path = _checked_name(member, name)
        total, count = total + member.size, count + 1
        if member.size < 0:
            raise InputError(f"{name}: refused: member {member.name!r} claims to have {member.size} bytes")
        if total > max_bytes:
            raise InputError(
                f"{name}: refused: its members unpack to more than {max_bytes} bytes ({member.name!r} alone claims "
                f"{member.size})"
            )
        if count > MAX_MEMBERS:
            raise InputError(f"{name}: refused: more than {MAX_MEMBERS} members; a SavedModel has only a few")
        above = [kinds.setdefault(path[:place], True) for place, letter in enumerate(path) if letter == "/"]
        if not all(above) or kinds.get(path, member.isdir()) != member.isdir():
            raise InputError(f"{name}: refused: member {member.name!r} is both a file and a folder")
        if path in kinds and not member.isdir():
            raise InputError(f"{name}: refused: two of its members are named {member.name!r}")
        kinds[path] = member.isdir()
        yield member, path


def _checked_name(member: tarfile.TarInfo, name: str) -> str:
    parts = PurePosixPath(member.name).parts
    if member.name.startswith("/") or ".." in parts or "\\" in member.name or "\0" in member.name:
        raise InputError(f"{name}: refused: member {member.name[:300]!r} leaves the folder it is unpacked to")
    if not member.name.isprintable() or not _is_utf8(member.name):
        raise InputError(f"{name}: refused: the name of member {member.name[:300]!r} is not printable text in UTF-8")
    if len(member.name) > MAX_NAME_LENGTH:
        raise InputError(f"{name}: refused: a member's name has {len(member.name)} letters, more than a file can have")
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        raise InputError(f"{name}: refused: member {member.name!r} is a link, a device or the like, not a file")
    path = "/".join(part for part in parts if part != ".")
    if not path and not member.isdir():
        raise InputError(f"{name}: refused: member {member.name!r} has no name of its own")
    return path


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
