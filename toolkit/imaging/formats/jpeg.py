"""Reads the header of a JPEG, to predict the memory and time that decoding takes."""

import re
from collections.abc import Iterator
from typing import BinaryIO

MAGIC = b"\xff\xd8\xff"
START_OF_SCAN = 0xDA
JUNK = 0

# Factors by which the decoder can divide the sides, in ascending order.
REDUCTIONS = (2, 4, 8)

_SEQUENTIAL_FRAMES = (0xC0, 0xC1)
_OTHER_FRAMES = (0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
# Markers without a length: TEM, and RST0 to the end of the picture.
_BARE = (0x01, *range(0xD0, 0xDA))
_SCAN = re.compile(rb"\xff\xda")
_BLOCK = 1 << 20


def has_one_scan(stream: BinaryIO) -> bool:
    """Returns whether a JPEG can be decoded row by row, and so at reduced size in little memory.

    A progressive JPEG, or a JPEG with a scan per channel, has several scans of the whole picture, and a decoder keeps
    all of it until the last. The stream's position is restored.
    """
    before = stream.tell()
    try:
        stream.seek(2)
        return _has_one_scan(stream)
    finally:
        stream.seek(before)


def _has_one_scan(stream: BinaryIO) -> bool:
    channels = -1
    for marker, segment in segments(stream):
        if marker == JUNK:
            continue
        if marker in _OTHER_FRAMES or not segment:
            return False
        if marker in _SEQUENTIAL_FRAMES and len(segment) > 5:
            channels = segment[5]
        if marker == START_OF_SCAN:
            return segment[:1] == bytes([channels]) if channels >= 0 else False
    return False


def segments(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Reads the segments of a JPEG, from behind its first marker up to its first scan.

    Yields markers, from 0xC0 to 0xFE, with their contents, and `JUNK` for bytes that decoders skip. The last is the
    marker of the scan, unless the file is damaged.
    """
    while byte := stream.read(1):
        if byte != b"\xff":
            yield JUNK, byte + _until_marker(stream)
            continue
        marker = int.from_bytes(stream.read(1), "big")
        if marker == 0xFF:  # any number of fill bytes may precede a marker
            stream.seek(-1, 1)
            continue
        if marker in _BARE or not marker:
            continue
        length = int.from_bytes(stream.read(2), "big") - 2
        yield marker, stream.read(max(length, 0))
        if marker == START_OF_SCAN or length < 0:
            return


def _until_marker(stream: BinaryIO) -> bytes:
    block = stream.read(1 << 16)
    junk, marker, rest = block.partition(b"\xff")
    stream.seek(-len(marker) - len(rest), 1)
    return junk


def count_scans(stream: BinaryIO, most: int) -> int:
    """Counts the scans of a JPEG, up to `most`, previews included; 1 where the decoder reads only one."""
    if has_one_scan(stream):
        return 1
    stream.seek(0)
    found, tail = 0, b""
    while found < most and (block := stream.read(_BLOCK)):
        found += len(_SCAN.findall(tail + block))
        # A marker may lie across two blocks.
        tail = block[-1:] if block.endswith(b"\xff") else b""
    return min(found, most)
