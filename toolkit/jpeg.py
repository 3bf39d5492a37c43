"""What of a JPEG's header says how much memory its decoder takes."""

from typing import BinaryIO

# By what the decoder can divide the sides as it goes, the least first.
REDUCTIONS = (2, 4, 8)

_SEQUENTIAL_FRAMES = (0xC0, 0xC1)
_OTHER_FRAMES = (0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
_START_OF_SCAN = 0xDA
# These have no length: TEM, and from RST0 on to the end of the picture.
_BARE = (0x01, *range(0xD0, 0xDA))


def has_one_scan(stream: BinaryIO) -> bool:
    """Tells whether a JPEG can be decoded row by row, and so to a part of its size in little memory.

    A progressive JPEG, or one whose channels follow one another, comes in several scans of the whole picture, and a
    decoder keeps all of it until the last.

    Args:
        stream: the file, which can seek; it is left where it was.

    Returns:
        Whether all channels come in the first scan, and that is the only one.
    """
    before = stream.tell()
    try:
        stream.seek(2)
        return _has_one_scan(stream)
    finally:
        stream.seek(before)


def _has_one_scan(stream: BinaryIO) -> bool:
    channels = -1
    while (start := stream.read(2)) and len(start) == 2 and start[0] == 0xFF:
        marker = start[1]
        if marker == 0xFF:  # a marker may be preceded by any number of these
            stream.seek(-1, 1)
            continue
        if marker in _BARE:
            continue
        length = int.from_bytes(stream.read(2), "big") - 2
        if marker in _OTHER_FRAMES or length < 1:
            return False
        segment = stream.read(length)
        if marker in _SEQUENTIAL_FRAMES and length > 5:
            channels = segment[5]
        if marker == _START_OF_SCAN:
            return segment[:1] == bytes([channels]) if channels >= 0 else False
    return False
