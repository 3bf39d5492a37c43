"""Checks a directory of TIFF tags, as in TIFF files and Exif blocks, before Pillow copies the data it points to.

Pillow makes a copy for each entry, and entries may all point to the same bytes. See TIFF 6.0 (Adobe, 1992), section 2.
"""

import io
import math
from collections.abc import Iterator
from typing import BinaryIO

# Photoshop keeps its layers in a tag.
MAX_BYTES = 256 << 20
# Numbers in a tag, each of which becomes a Python object. A large picture may have a strip, and so a number, per row.
MAX_NUMBERS = 1 << 18
MAX_ENTRIES = 4096
# Equal entries may share some bytes.
_SHARED_BYTES = 1 << 16

# Bytes per value, by type.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_BYTES = (1, 2, 7)
_TILE_SIDES = (322, 323)
_SIDES = (256, 257)
# Small pictures may lie in one tile of a usual size.
_LEAST_TILE_PIXELS = 1 << 22


def fault(stream: BinaryIO) -> str | None:
    """Returns which limit a TIFF's first directory exceeds; None where Pillow may read it, or it is not a TIFF."""
    length = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    total, sides = 0, {}
    for index, (tag, kind, count, value) in enumerate(_entries(stream)):
        if index >= MAX_ENTRIES:
            return f"more than {MAX_ENTRIES} entries"
        if kind not in _BYTES and kind in _SIZES and count > MAX_NUMBERS:
            return f"{count} numbers in one entry, more than {MAX_NUMBERS},"
        total += min(count * _SIZES.get(kind, 0), length)
        if total > min(length + _SHARED_BYTES, MAX_BYTES):
            return f"more than {min(length, MAX_BYTES)} bytes"
        sides[tag] = value
    tile, picture = (math.prod(sides.get(tag, 0) for tag in tags) for tags in (_TILE_SIDES, _SIDES))
    if tile > max(_LEAST_TILE_PIXELS, 4 * picture):
        return f"tiles of {tile} pixels for a picture of {picture}"
    return None


def _entries(stream: BinaryIO) -> Iterator[tuple[int, int, int, int]]:
    """Yields tag, type, count and value (or offset) of each entry."""
    head = stream.read(16)
    order = {b"II": "little", b"MM": "big"}.get(head[:2])
    if order is None:
        return

    def number(content: bytes) -> int:
        return int.from_bytes(content, order)  # type: ignore[arg-type]

    # Pillow recognizes BigTIFF, with its wider numbers, by the same rule.
    is_big = 43 in head[2:4]
    width = 8 if is_big else 4
    stream.seek(number(head[8:16] if is_big else head[4:8]))
    for _ in range(number(stream.read(8 if is_big else 2))):
        entry = stream.read(4 + 2 * width)
        if len(entry) < 4 + 2 * width:
            return
        kind = number(entry[2:4])
        value = entry[4 + width :]
        stored = value[: _SIZES.get(kind, width)]
        yield number(entry[:2]), kind, number(entry[4 : 4 + width]), number(stored)
