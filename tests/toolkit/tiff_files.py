"""Writes TIFF files of layouts that Pillow itself does not write, for tests (TIFF 6.0, sections 2 and 3 onwards)."""

import struct
import zlib

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR = 273, 277, 278, 279, 284
COLOR_MAP, EXTRA_SAMPLES, SAMPLE_FORMAT, YCBCR_SUBSAMPLING = 320, 338, 339, 530
DEFLATE = 8
_SHORT, _LONG = 3, 4


def tiff(strips, size, tags, order="<"):
    """The bytes of a file.

    Args:
        strips: bytes of each, as stored but for the compression.
        size: height and width in pixels.
        tags: a number or several by the number of the tag; those above that are missing are filled in.
        order: `<` or `>`, of the bytes.
    """
    if tags.get(COMPRESSION) == DEFLATE:
        strips = [zlib.compress(strip) for strip in strips]
    tags = {HEIGHT: size[0], WIDTH: size[1], ROWS_PER_STRIP: size[0], COMPRESSION: 1, SAMPLES: 1, **tags}
    sizes = tuple(len(strip) for strip in strips)
    tags[STRIP_BYTES], tags[STRIP_OFFSETS] = sizes, (0,) * len(strips)
    values = {tag: value if isinstance(value, tuple) else (value,) for tag, value in tags.items()}
    first_value = 8 + 2 + 12 * len(values) + 4
    lengths = {tag: len(_packed(tag, numbers, order)) for tag, numbers in values.items()}
    first_strip = first_value + sum(length for length in lengths.values() if length > 4)
    values[STRIP_OFFSETS] = tuple(first_strip + sum(sizes[:index]) for index in range(len(strips)))
    directory, outside = b"", b""
    for tag, numbers in sorted(values.items()):
        packed, kind = _packed(tag, numbers, order), _LONG if _is_long(tag) else _SHORT
        directory += struct.pack(f"{order}HHI", tag, kind, len(numbers))
        if len(packed) <= 4:
            directory += packed.ljust(4, b"\0")
        else:
            directory += struct.pack(f"{order}I", first_value + len(outside))
            outside += packed
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    head = mark + struct.pack(f"{order}IH", 8, len(values))
    return head + directory + struct.pack(f"{order}I", 0) + outside + b"".join(strips)


def _is_long(tag):
    return tag in (STRIP_OFFSETS, STRIP_BYTES)


def _packed(tag, numbers, order):
    return struct.pack(f"{order}{len(numbers)}{'I' if _is_long(tag) else 'H'}", *numbers)
