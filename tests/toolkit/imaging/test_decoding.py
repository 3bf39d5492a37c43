"""toolkit.imaging: Pictures of every kind arrive upright, opaque, in sRGB and in range, or are refused in one line."""

import errno
import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, PngImagePlugin

from tests.toolkit.made_pictures import assert_is_picture, light, noise, not_read, sides
from toolkit.errors import InputError
from toolkit.imaging import images


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height, bits, kind, rows, *chunks):
    """A PNG of rows of bytes, in gray (kind 0) or RGB (kind 2)."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def png_claiming(width, height):
    return png_of(width, height, 8, 2, [bytes(64)])


# Every kind of file


@light
@given(
    mode=st.sampled_from(["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]),
    height=sides,
    width=sides,
    seed=st.integers(0, 99),
)
def test_a_pillow_image_of_any_mode_and_size_becomes_a_picture(mode, height, width, seed):
    color = Image.fromarray(images.to_uint8(noise(height, width, seed)))
    via = {"La": "LA", "PA": "LA", "RGBa": "RGBA"}.get(mode, "RGB")
    image = color.convert(via).convert("P").convert("PA") if mode == "PA" else color.convert(via).convert(mode)
    assert_is_picture(images.load_image(image), height, width)


@pytest.mark.parametrize("mode", ["F", "I;16", "I;16B"])
def test_deep_gray_keeps_more_than_8_bits(mode):
    steps = np.linspace(0, 1, 24 * 32).reshape(24, 32)
    samples = {"F": steps, "I;16": steps * 65535, "I;16B": steps * 65535}[mode]
    dtype = {"F": "<f4", "I;16": "<u2", "I;16B": ">u2"}[mode]
    image = Image.frombytes(mode, (32, 24), samples.astype(dtype).tobytes())
    picture = images.load_image(image)
    assert_is_picture(picture, 24, 32)
    np.testing.assert_allclose(picture[..., 1], steps, atol=1 / 65535)


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        (".jpg", "RGB"), (".jpg", "L"), (".jpg", "CMYK"),
        (".png", "1"), (".png", "L"), (".png", "LA"), (".png", "P"), (".png", "RGBA"), (".png", "I;16"),
        (".webp", "RGB"), (".webp", "RGBA"), (".gif", "P"), (".bmp", "RGB"), (".bmp", "1"),
        (".tif", "1"), (".tif", "L"), (".tif", "LA"), (".tif", "RGBA"), (".tif", "CMYK"), (".tif", "LAB"),
        (".tif", "I;16"), (".tif", "I;16B"), (".tif", "F"),
    ],
)  # fmt: skip
def test_every_kind_of_file_becomes_a_picture(tmp_path, suffix, mode):
    path = tmp_path / f"picture{suffix}"
    Image.new(mode, (20, 30)).save(path)
    assert_is_picture(images.load_image(path), 30, 20)


def test_a_file_is_known_by_its_content_and_not_by_its_suffix(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (20, 30)).save(path, "JPEG")
    assert_is_picture(images.load_image(str(path)), 30, 20)


@pytest.mark.parametrize("family", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_the_first_frame_stands_for_all(tmp_path, family):
    path = tmp_path / "frames"
    red, blue = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    red.save(path, family, save_all=True, append_images=[blue])
    np.testing.assert_allclose(images.load_image(path)[10, 10], [1, 0, 0], atol=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    # Where EXIF says the stored first row and first column belong, as (top or bottom, left or right).
    upright = noise(20, 30)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(images.to_uint8(np.ascontiguousarray(stored))).save(path, exif=exif, **options)
    np.testing.assert_allclose(images.load_image(path), upright, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_gray_is_turned_as_well(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(np.zeros((20, 30), np.uint16)).save(path, exif=exif)
    assert_is_picture(images.load_image(path), *((20, 30) if orientation < 5 else (30, 20)))


def test_a_broken_exif_block_is_ignored(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (20, 30)).save(path, exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff not exif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_is_picture(images.load_image(path), 30, 20)


def half_transparent(mode):
    """Black throughout; the left half transparent."""
    alpha = Image.new("L", (32, 24), 255)
    alpha.paste(0, (0, 0, 16, 24))
    rgba = Image.new("RGBA", (32, 24), "black")
    rgba.putalpha(alpha)
    if mode == "PA":
        image = Image.new("P", (32, 24)).convert("PA")
        image.putalpha(alpha)
        return image
    via = {"La": "LA"}.get(mode, "RGBA")
    return rgba.convert(via).convert(mode)


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
def test_alpha_is_composited_on_white(mode):
    picture = images.load_image(half_transparent(mode))
    assert (picture[:, :16] == 1).all()
    assert (picture[:, 16:] == 0).all()


@pytest.mark.parametrize(("mode", "key"), [("1", 0), ("L", 0), ("P", 0), ("RGB", (0, 0, 0)), ("I;16", 0)])
def test_a_transparent_color_in_a_png_becomes_white(tmp_path, mode, key):
    path = tmp_path / "keyed.png"
    Image.new(mode, (20, 30), 0).save(path, transparency=key)
    assert (images.load_image(path) == 1).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("share", [0, 1 / 3, 1])
def test_a_transparent_gray_of_any_depth_becomes_white_and_no_other_does(tmp_path, bits, share):
    key = round(share * (2**bits - 1))
    values = np.full((20, 24), key)
    values[:, 8:] = 2**bits - 1 - key if bits == 1 else (key + 1) % (2**bits)
    as_bits = (values[..., None] >> np.arange(bits)[::-1]) & 1
    rows = np.packbits(as_bits.reshape(20, -1).astype(np.uint8), axis=1)
    path = tmp_path / "keyed.png"
    path.write_bytes(png_of(24, 20, bits, 0, rows, png_chunk(b"tRNS", struct.pack(">H", key))))
    picture = images.load_image(path)
    assert (picture[:, :8] == 1).all()
    np.testing.assert_allclose(picture[:, 8:], values[0, 8] / (2**bits - 1), atol=1e-6)


@pytest.mark.parametrize(("bits", "key"), [(8, (18, 52, 86)), (16, (4660, 22136, 39612))])
def test_a_transparent_color_of_any_depth_becomes_white(tmp_path, bits, key):
    rows = np.tile(np.array(key, f">u{bits // 8}"), (20, 24)).view(np.uint8)
    path = tmp_path / "keyed.png"
    path.write_bytes(png_of(24, 20, bits, 2, rows, png_chunk(b"tRNS", struct.pack(">HHH", *key))))
    assert (images.load_image(path) == 1).all()


def test_cmyk_of_a_jpeg_which_adobe_stores_inverted_is_read(tmp_path):
    inks = np.zeros((32, 32, 4), np.uint8)
    inks[..., 1:3] = 255
    path = tmp_path / "inks.jpg"
    Image.fromarray(inks, "CMYK").save(path, quality=95)
    np.testing.assert_allclose(images.load_image(path)[16, 16], [1, 0, 0], atol=0.02)


def test_32_bit_integers_of_an_image_are_refused_for_white_cannot_be_told():
    for white in (255, 65535, 70_000):
        assert "their white level cannot be determined" in not_read(Image.fromarray(np.full((20, 20), white, np.int32)))


def test_a_palette_with_alpha_entries_is_composited(tmp_path):
    path = tmp_path / "palette.png"
    Image.new("P", (20, 30), 0).save(path, transparency=bytes([0, 255]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (images.load_image(path) == 1).all()


def test_half_alpha_is_halfway_to_white():
    assert images.load_image(Image.new("RGBA", (20, 20), (0, 0, 0, 128)))[0, 0, 0] == pytest.approx(127 / 255)
    array = np.zeros((20, 20, 4), np.float32)
    array[..., 3] = 0.5
    assert images.load_image(array)[0, 0, 0] == pytest.approx(0.5)


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def bgr_profile():
    """sRGB with the primaries of red and blue exchanged."""
    return srgb_profile().replace(b"rXYZ", b"....", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"....", b"bXYZ", 1)


def gray_profile():
    """The tone curve of sRGB alone."""
    return srgb_profile().replace(b"RGB ", b"GRAY", 1).replace(b"rTRC", b"kTRC", 1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colors_are_converted_from_the_embedded_profile(tmp_path, mode):
    path = tmp_path / "exchanged.png"
    Image.new("RGB", (20, 20), "red").convert(mode).save(path, icc_profile=bgr_profile())
    np.testing.assert_allclose(images.load_image(path)[0, 0], [0, 0, 1], atol=0.02)


@pytest.mark.parametrize(("mode", "middle"), [("L", 128), ("LA", (128, 255)), ("I;16", 32896)])
def test_gray_is_converted_from_a_gray_profile(tmp_path, mode, middle):
    path = tmp_path / "gray.png"
    Image.new(mode, (20, 20), middle).save(path, icc_profile=gray_profile())
    np.testing.assert_allclose(images.load_image(path), 128 / 255, atol=1.5 / 255)


def test_transparency_is_not_taken_for_a_color_by_the_profile():
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    image.info["icc_profile"] = bgr_profile()
    assert (images.load_image(image) == 1).all()


def test_lab_is_converted(tmp_path):
    path = tmp_path / "lab.tif"
    Image.new("LAB", (20, 20), (255, 128, 128)).save(path)
    np.testing.assert_allclose(images.load_image(path), 1, atol=0.02)


def test_an_srgb_profile_changes_nothing(tmp_path):
    path = tmp_path / "srgb.png"
    samples = images.to_uint8(noise())
    Image.fromarray(samples).save(path, icc_profile=srgb_profile())
    np.testing.assert_allclose(images.load_image(path), images.from_uint8(samples), atol=1.01 / 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_a_profile_that_is_broken_or_of_another_kind_is_ignored(tmp_path, mode):
    wrong = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    plain = tmp_path / "plain.png"
    Image.new(mode, (20, 20)).save(plain)
    for profile in (b"no profile", wrong):
        path = tmp_path / "profiled.png"
        Image.new(mode, (20, 20)).save(path, icc_profile=profile)
        np.testing.assert_array_equal(images.load_image(path), images.load_image(plain))


def test_gray_with_a_color_profile_is_read_in_its_own_right(tmp_path):
    path = tmp_path / "gray.png"
    Image.new("L", (20, 20), 100).save(path, icc_profile=srgb_profile())
    np.testing.assert_allclose(images.load_image(path), 100 / 255, atol=1e-6)


# Arrays


@light
@given(
    array=st.tuples(
        st.sampled_from([np.uint8, np.uint16, np.float16, np.float32, np.float64]),
        st.tuples(sides, sides),
        st.sampled_from([(), (3,), (4,)]),
    ).flatmap(
        lambda form: hnp.arrays(
            form[0], form[1] + form[2], elements={"min_value": 0, "max_value": 1} if form[0](0.5) else None
        )
    )
)
def test_an_array_of_any_accepted_form_becomes_a_picture(array):
    before = array.copy()
    picture = images.load_image(array)
    assert_is_picture(picture, *array.shape[:2])
    assert not np.shares_memory(picture, array)
    np.testing.assert_array_equal(array, before)


def test_8_and_16_bit_arrays_span_the_same_range():
    assert images.load_image(np.full((16, 16, 3), 255, np.uint8)).max() == 1
    assert images.load_image(np.full((16, 16, 3), 65535, np.uint16)).max() == 1


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((2, 20, 20, 3), np.float32), "[2, 20, 20, 3]"),
        (np.zeros((20, 20, 2), np.float32), "[20, 20, 2]"),
        (np.zeros((20, 20, 3), np.int64), "int64"),
        (np.full((20, 20, 3), 255.0), "255"),
        (np.full((20, 20, 3), np.nan), "NaN"),
        (np.zeros((0, 20, 3)), "[0, 20, 3]"),
        (np.zeros((20, 15, 3)), "15x20 px"),
        (None, "NoneType"),
        ([[1, 2], [3]], "list"),
    ],
)
def test_an_array_of_another_form_is_refused(array, said):
    assert said in not_read(array)


# Bad files


def test_a_missing_file_is_refused(tmp_path):
    assert "No such file" in not_read(tmp_path / "missing.png")


def test_a_name_that_no_file_can_have_is_refused():
    assert "null" in not_read("pict\0ure.png")


def test_a_folder_is_refused(tmp_path):
    assert "directory" in not_read(tmp_path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    assert "is empty" in not_read(path)


def test_text_under_the_name_of_a_picture_is_refused(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("not a picture at all\n" * 9)
    assert "not a picture" in not_read(path)


def test_a_format_outside_the_six_families_is_refused(tmp_path):
    path = tmp_path / "picture.ppm"
    Image.new("RGB", (20, 20)).save(path)
    assert "JPEG, PNG, WEBP, TIFF, BMP, GIF" in not_read(path)


@pytest.mark.parametrize("suffix", sorted(images.READABLE_SUFFIXES))
@pytest.mark.parametrize("kept", [0.1, 0.6])
def test_a_truncated_file_is_refused(tmp_path, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    images.save_image(noise(64, 64), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    not_read(path)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    images.save_image(noise(), path)

    def denied(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", denied)
    assert "Permission denied" in not_read(path)


@pytest.mark.parametrize("size", [(15, 40), (40, 15)])
def test_a_picture_too_small_is_refused_with_its_size_and_the_minimum(tmp_path, size):
    path = tmp_path / "small.png"
    Image.new("RGB", size).save(path)
    message = not_read(path)
    assert f"{size[0]}x{size[1]} px" in message
    assert "at least 16 px" in message


@pytest.mark.parametrize(("side", "size"), [(50_000, "2500.0"), (11_000, "121.0")])  # beyond Pillow's error and warning
@pytest.mark.parametrize("max_size", [None, 100])
def test_a_decompression_bomb_is_refused_with_its_size_and_the_limit(tmp_path, side, size, max_size):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_claiming(side, side))
    message = not_read(path, max_size=max_size)
    assert f"it has {size} megapixels, and at most 89.5 are decoded; give a smaller picture, or a JPEG" in message


@light
@given(data=st.data())
def test_damaged_bytes_give_a_picture_or_one_clear_line(tmp_path, data):
    family = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"]))
    stream = io.BytesIO()
    Image.fromarray(images.to_uint8(noise(20, 20))).save(stream, family)
    damaged = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(damaged)
    try:
        picture = images.load_image(path)
    except InputError as error:
        assert "\n" not in str(error)
        assert str(path) in str(error)
    else:
        assert_is_picture(picture, *picture.shape[:2])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files through /proc")
def test_no_file_stays_open(tmp_path):
    good, bad = tmp_path / "good.tif", tmp_path / "bad.jpg"
    images.save_image(noise(), good)
    bad.write_bytes(b"\xff\xd8\xff\xe0 broken")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            images.load_image(good)
            with pytest.raises(InputError):
                images.load_image(bad)
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_loading_in_threads_leaves_the_warning_filters_as_they_were(tmp_path):
    path = tmp_path / "picture.png"
    images.save_image(noise(), path)
    before = list(warnings.filters)
    threads = [threading.Thread(target=images.load_image, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_an_over_long_text_chunk_is_refused_like_any_broken_file(tmp_path):
    path = tmp_path / "text.png"
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    Image.new("RGB", (20, 20)).save(path, pnginfo=info)
    not_read(path)


# Size


@light
@given(height=st.integers(40, 90), width=st.integers(40, 90), max_size=st.integers(36, 100))
def test_max_size_bounds_the_longer_side_and_never_enlarges(height, width, max_size):
    samples = np.zeros((height, width, 3), np.uint8)
    got_height, got_width = images.load_image(samples, max_size).shape[:2]
    assert images.load_image(Image.fromarray(samples), max_size).shape[:2] == (got_height, got_width)
    assert max(got_height, got_width) == min(max_size, max(height, width))
    scale = min(1.0, max_size / max(height, width))
    assert abs(got_height - height * scale) <= 0.5
    assert abs(got_width - width * scale) <= 0.5


def test_a_bound_that_leaves_too_little_is_refused():
    strip = np.zeros((20, 400, 3), np.uint8)
    assert "400x20 px would become 100x5 px" in not_read(strip, max_size=100)
    assert "at least 16 px" in not_read(strip, max_size=8)
