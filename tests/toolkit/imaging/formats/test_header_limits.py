"""toolkit.imaging.formats: A file whose header would keep Pillow busy for minutes, or take gigabytes, is refused
before Pillow reads it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.toolkit.made_pictures import assert_is_picture, noise, not_read
from toolkit.imaging import images
from toolkit.imaging.formats import header_limits, jpeg, tiff_directory


def encoded(kind, **options):
    stream = io.BytesIO()
    Image.fromarray(images.to_uint8(noise(64, 64))).save(stream, kind, **options)
    return stream.getvalue()


def jpeg_with(*segments, base=None):
    """A JPEG with segments, each of a marker and what it holds, before all others."""
    base = base or encoded("JPEG")
    added = b"".join(b"\xff" + bytes([marker]) + struct.pack(">H", len(held) + 2) + held for marker, held in segments)
    return base[:2] + added + base[2:]


def gif_with(blocks):
    base = encoded("GIF")
    start = 13 + (3 << ((base[10] & 7) + 1) if base[10] & 0x80 else 0)
    return base[:start] + blocks + base[start:]


def png_with(kind, held, times, at=33):
    base = encoded("PNG")
    chunk = struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))
    return base[:at] + chunk * times + base[at:]


def with_repeated_scan(times):
    """A progressive JPEG whose first scan comes many times."""
    base = encoded("JPEG", progressive=True)
    start = base.index(b"\xff\xda")
    end = min(base.index(mark, start + 2) for mark in (b"\xff\xc4", b"\xff\xda"))
    return base[:end] + base[start:end] * times + base[end:]


def directory(*entries, size=1 << 12):
    """A directory of TIFF tags with entries of tag, type, count and offset, and bytes for them to point to."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4 + size)


SHARED = [(tag, 7, 1 << 12, 8) for tag in range(1000, 1100)]
TEXT = b"\x21\xfe\x01a\0"

ATTACKS = {
    "GIF of many comments": (lambda: gif_with(TEXT * 2000), "1024 segments"),
    "GIF of a long comment": (lambda: gif_with(b"\x21\xfe" + (b"\xff" + b"a" * 255) * 5000 + b"\0"), "1 MiB"),
    "JPEG of many Exif blocks": (lambda: jpeg_with(*[(0xE1, b"Exif\0\0a")] * 2000), "1024 segments"),
    "JPEG of long Exif blocks": (lambda: jpeg_with(*[(0xE1, b"Exif\0\0" + bytes(65_000))] * 270), "16 MiB"),
    "JPEG of many comments": (lambda: jpeg_with(*[(0xFE, b"a")] * 2000), "1024 segments"),
    "JPEG with junk between segments": (
        lambda: b"\xff\xd8\xff\xfe\0\x02junk" + jpeg_with(*[(0xFE, b"a")] * 2000)[2:], "1024 segments",
    ),
    "JPEG of 300 scans": (lambda: with_repeated_scan(300), "32 scans"),
    "JPEG whose Exif entries share bytes": (lambda: jpeg_with((0xE1, b"Exif\0\0" + directory(*SHARED))), "bytes in"),
    "JPEG whose pictures' entries share bytes": (lambda: jpeg_with((0xE2, b"MPF\0" + directory(*SHARED))), "bytes in"),
    "PNG of many texts": (lambda: png_with(b"tEXt", b"a\0b", 2000), "1024 segments"),
    "PNG of many texts behind the pixels": (lambda: png_with(b"tEXt", b"a\0b", 2000, at=-12), "1024 segments"),
    "PNG of many color profiles": (
        lambda: png_with(b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 20)), 2000), "1024 segments",
    ),
    "PNG of pixels in tiny chunks": (lambda: png_with(b"IDAT", b"", 70_000), "65536 chunks"),
    "TIFF whose entries share bytes": (lambda: directory(*SHARED, size=1 << 17), "bytes in"),
    "TIFF of millions of strips": (lambda: directory((273, 4, 5_000_000, 8)), "5000000 numbers"),
    "TIFF of thousands of entries": (lambda: directory(*[(n, 3, 1, 0) for n in range(5000)]), "4096 entries"),
    "TIFF of one tile of gigabytes": (
        lambda: directory((256, 3, 1, 64), (257, 3, 1, 64), (322, 4, 1, 30_000), (323, 4, 1, 30_000)), "tiles of",
    ),
    "BMP of run lengths": (
        lambda: b"BM" + struct.pack("<IIIIiiHHII", 62, 0, 54, 40, 5_000_000, 16, 1, 8, 1, 0) + bytes(100),
        "run lengths",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_refused_with_what_there_is_too_much_of(tmp_path, name):
    attack, told = ATTACKS[name]
    path = tmp_path / "picture"
    path.write_bytes(attack())
    message = not_read(path)
    assert told in message
    assert message.endswith("; open it in an image editor and save it again")


def photographers_jpeg():
    profile = b"ICC_PROFILE\0\x01\x01" + bytes(60_000)
    texts = [(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000))] * 100
    exif = (0xE1, b"Exif\0\0" + directory((0x010F, 2, 8, 40), (0x0112, 3, 1, 1)))
    return jpeg_with(exif, (0xE2, profile), *texts, base=encoded("JPEG", progressive=True))


GENUINE = {
    "JPEG": photographers_jpeg,
    "JPEG with fill bytes and junk": lambda: b"\xff\xd8\xff\xff\xfe\0\x02junk" + encoded("JPEG")[2:],
    "GIF": lambda: gif_with(b"\x21\xfe" + (b"\xff" + b"a" * 255) * 1000 + b"\0" + TEXT * 10),
    "PNG": lambda: png_with(b"tEXt", b"prompt\0" + b"a" * 100_000, 20),
    "PNG of rather small chunks": lambda: png_with(b"IDAT", b"", 10_000),
    "TIFF": lambda: encoded("TIFF", tiffinfo={270: "a" * 100_000}, compression="tiff_lzw"),
    "BMP": lambda: encoded("BMP"),
}


@pytest.mark.parametrize("name", GENUINE)
def test_what_cameras_and_editors_write_is_within_the_limits(tmp_path, name):
    path = tmp_path / "picture"
    path.write_bytes(GENUINE[name]())
    with path.open("rb") as stream:
        header_limits.check_header(stream)
        assert stream.tell() == 0
    if name != "PNG of rather small chunks":  # the empty chunks stand before the palette's place
        assert_is_picture(images.load_image(path), 64, 64)


@pytest.mark.parametrize(("kind", "told"), [("JPEG", 1), ("progressive", 10)])
def test_the_scans_of_a_jpeg_are_counted(kind, told):
    stream = io.BytesIO(encoded("JPEG", progressive=kind == "progressive"))
    assert jpeg.count_scans(stream, 99) == told


def test_a_scan_that_begins_across_two_blocks_is_counted():
    start = b"\xff\xd8" + b"\xff\xc2\0\x0b\x08\0\x40\0\x40\x01\x01\x11\0"
    file = start + bytes((1 << 20) - len(start) - 1) + b"\xff\xda" + bytes(9)
    assert jpeg.count_scans(io.BytesIO(file), 99) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_big_tiff_is_looked_at_as_well(order):
    mark = {"<": b"II+\0", ">": b"MM\0+"}[order]
    entry = struct.pack(order + "HHQQ", 273, 4, 1 << 20, 16)
    file = mark + struct.pack(order + "HHQQ", 8, 0, 16, 1) + entry + bytes(64)
    assert "1048576 numbers" in tiff_directory.fault(io.BytesIO(file))


def test_an_exif_block_beyond_the_limits_turns_nothing_and_refuses_nothing(tmp_path):
    path = tmp_path / "picture.webp"
    picture = noise(20, 30)
    entries = sorted([*SHARED, (0x0112, 3, 1, 6)])
    exif = b"Exif\0\0" + directory(*entries)
    Image.fromarray(images.to_uint8(picture)).save(path, lossless=True, exif=exif)
    np.testing.assert_allclose(images.load_image(path), picture, atol=0.5 / 255 + 1e-6)


def test_a_picture_that_memory_does_not_suffice_for_is_refused_with_the_arithmetic(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    Image.new("1", (6000, 6000)).save(path)
    monkeypatch.setattr("toolkit.process.memory.available", lambda: 1_000_000_000)
    message = not_read(path)
    assert "needs about 1.2 GB" in message
    assert "32 bytes each" in message
    assert "take a smaller picture" in message
