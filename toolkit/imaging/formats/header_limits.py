"""Limits the work that the header of a picture file makes Pillow do, before Pillow reads it.

A file of a few megabytes can keep Pillow busy for minutes, or make it allocate gigabytes, whatever size the picture
claims: texts that are joined one at a time, directories whose entries share their bytes, hundreds of scans of the whole
picture. The limits are far beyond what cameras and editors write. With them, no header takes more than a few seconds.
"""

import io
from typing import BinaryIO

from toolkit.imaging.formats import jpeg, tiff_directory

# Largest decoded size: Pillow's limit against decompression bombs, which the exported graphs enforce as well.
MAX_PIXELS = 89_478_485
# Everything before the pixels: color profiles, previews, depth maps, texts.
MAX_HEADER_BYTES = 16 << 20
# Each piece costs a few calls.
MAX_HEADER_PIECES = 1024
# A progressive JPEG has about ten; each is a pass over the whole picture.
MAX_SCANS = 32
# Pillow joins the texts of a GIF with quadratic copying.
MAX_GIF_TEXT_BYTES = 1 << 20
# The pixels of a PNG come in chunks of 8 KiB or more.
MAX_PNG_CHUNKS = 1 << 16
# Pillow undoes the run lengths of a BMP in Python, byte by byte.
MAX_RUN_LENGTH_BYTES = MAX_RUN_LENGTH_PIXELS = 4 << 20

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_RUN_LENGTHS = (1, 2)


class HeaderError(ValueError):
    """A header exceeds a limit; the message names what there is too much of."""


def check_header(stream: BinaryIO) -> None:
    """Refuses a file whose header takes too long or too much memory to read; rewinds the stream."""
    start = stream.read(len(_PNG_MAGIC))
    try:
        if start.startswith(jpeg.MAGIC):
            _check_jpeg(stream)
        elif start == _PNG_MAGIC:
            _check_png(stream)
        elif start.startswith((b"GIF87a", b"GIF89a")):
            _check_gif(stream)
        elif start.startswith(b"BM"):
            _check_bmp(stream)
        elif start.startswith((b"II", b"MM")):
            _check_directory(stream, "the file")
    finally:
        stream.seek(0)


class _Budget:
    """Counts the pieces and bytes of a header."""

    def __init__(self, max_bytes: int = MAX_HEADER_BYTES) -> None:
        self._bytes, self._pieces, self._max_bytes = 0, 0, max_bytes

    def take(self, size: int) -> None:
        self._bytes, self._pieces = self._bytes + size, self._pieces + 1
        if self._pieces > MAX_HEADER_PIECES:
            raise HeaderError(f"more than {MAX_HEADER_PIECES} segments of metadata")
        if self._bytes > self._max_bytes:
            raise HeaderError(f"more than {self._max_bytes >> 20} MiB of metadata")


def _check_jpeg(stream: BinaryIO) -> None:
    budget = _Budget()
    exif = b""
    stream.seek(2)
    for marker, segment in jpeg.segments(stream):
        if marker == jpeg.START_OF_SCAN:
            break
        budget.take(len(segment))
        if segment.startswith(b"Exif\0\0"):
            exif += segment[6:]
        elif segment.startswith(b"MPF\0"):
            _check_directory(io.BytesIO(segment[4:]), "its list of pictures")
    _check_directory(io.BytesIO(exif), "its Exif block")
    scans = jpeg.count_scans(stream, MAX_SCANS + 1)
    if scans > MAX_SCANS:
        raise HeaderError(f"more than {MAX_SCANS} scans")


def _check_directory(stream: BinaryIO, name: str) -> None:
    if fault := tiff_directory.fault(stream):
        raise HeaderError(f"{fault} in the directory of {name}")


def _check_png(stream: BinaryIO) -> None:
    budget, chunks, has_pixels = _Budget(), 0, False
    while len(head := stream.read(8)) == 8:
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"IEND" or (kind == b"fcTL" and has_pixels):  # other frames follow
            return
        has_pixels = has_pixels or kind == b"IDAT"
        if kind == b"IDAT":
            chunks += 1
            if chunks > MAX_PNG_CHUNKS:
                raise HeaderError(f"pixels in more than {MAX_PNG_CHUNKS} chunks")
        else:
            budget.take(size)
        stream.seek(size + 4, io.SEEK_CUR)


def _check_gif(stream: BinaryIO) -> None:
    """Checks all blocks before the first frame (GIF89a specification, sections 18 and 23 to 26)."""
    budget = _Budget(MAX_GIF_TEXT_BYTES)
    stream.seek(10)
    flags = stream.read(3)
    if len(flags) == 3 and flags[0] & 0x80:
        stream.seek(3 << ((flags[0] & 7) + 1), io.SEEK_CUR)
    total = 0
    while stream.read(1) == b"!" and stream.read(1):
        size = 0
        while (length := stream.read(1)) not in (b"", b"\0"):
            size += length[0] + 1
            stream.seek(length[0], io.SEEK_CUR)
            if total + size > MAX_GIF_TEXT_BYTES:
                break
        total += size
        budget.take(size)


def _check_bmp(stream: BinaryIO) -> None:
    stream.seek(14)
    header = stream.read(20)
    if len(header) < 20 or header[0] == 12:  # the oldest format has no run lengths
        return
    width, height = (abs(int.from_bytes(header[at : at + 4], "little", signed=True)) for at in (4, 8))
    if int.from_bytes(header[16:20], "little") not in _RUN_LENGTHS:
        return
    if width * height > MAX_RUN_LENGTH_PIXELS or stream.seek(0, io.SEEK_END) > MAX_RUN_LENGTH_BYTES:
        raise HeaderError(f"run lengths of more than {MAX_RUN_LENGTH_PIXELS} pixels or bytes")
