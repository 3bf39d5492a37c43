"""Pictures arrive upright, opaque, in sRGB and in range, and leave whole or not at all."""

import errno
import io
import os
import stat
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, PngImagePlugin

from toolkit import images
from toolkit.errors import InputError, WorkError

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
light = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
sides = st.integers(images.MIN_SIDE, 40)


def pictures(height=sides, width=sides):
    return st.tuples(height, width).flatmap(lambda size: hnp.arrays(np.uint8, (*size, 3)).map(images.from_uint8))


def noise(height=24, width=32, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def assert_is_picture(picture, height, width):
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1


def refusal(source, **options):
    """The one line, naming the file, with which a bad source is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as caught:
            images.load_image(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    if isinstance(source, Path):
        assert str(source) in message
    return message


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(64)))


# Loading: every kind of file


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


@pytest.mark.parametrize("mode", ["I", "F", "I;16", "I;16B"])
def test_deep_grey_keeps_more_than_8_bits(mode):
    steps = np.linspace(0, 1, 24 * 32).reshape(24, 32)
    samples = {"I": steps * 65535, "F": steps, "I;16": steps * 65535, "I;16B": steps * 65535}[mode]
    dtype = {"I": "<i4", "F": "<f4", "I;16": "<u2", "I;16B": ">u2"}[mode]
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
        (".tif", "I"), (".tif", "I;16"), (".tif", "I;16B"), (".tif", "F"),
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
def test_deep_grey_is_turned_as_well(tmp_path, orientation):
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
def test_a_transparent_colour_in_a_png_becomes_white(tmp_path, mode, key):
    path = tmp_path / "keyed.png"
    Image.new(mode, (20, 30), 0).save(path, transparency=key)
    assert (images.load_image(path) == 1).all()


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


def grey_profile():
    """The tone curve of sRGB alone."""
    return srgb_profile().replace(b"RGB ", b"GRAY", 1).replace(b"rTRC", b"kTRC", 1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_are_converted_from_the_embedded_profile(tmp_path, mode):
    path = tmp_path / "exchanged.png"
    Image.new("RGB", (20, 20), "red").convert(mode).save(path, icc_profile=bgr_profile())
    np.testing.assert_allclose(images.load_image(path)[0, 0], [0, 0, 1], atol=0.02)


@pytest.mark.parametrize(("mode", "middle"), [("L", 128), ("LA", (128, 255)), ("I;16", 32896)])
def test_grey_is_converted_from_a_grey_profile(tmp_path, mode, middle):
    path = tmp_path / "grey.png"
    Image.new(mode, (20, 20), middle).save(path, icc_profile=grey_profile())
    np.testing.assert_allclose(images.load_image(path), 128 / 255, atol=1.5 / 255)


def test_transparency_is_not_taken_for_a_colour_by_the_profile():
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


def test_grey_with_a_colour_profile_is_read_in_its_own_right(tmp_path):
    path = tmp_path / "grey.png"
    Image.new("L", (20, 20), 100).save(path, icc_profile=srgb_profile())
    np.testing.assert_allclose(images.load_image(path), 100 / 255, atol=1e-6)


# Loading: arrays


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
        (np.zeros((1, 20, 20, 3), np.float32), "[1, 20, 20, 3]"),
        (np.zeros((20, 20, 2), np.float32), "[20, 20, 2]"),
        (np.zeros((20, 20, 3), np.int64), "int64"),
        (np.full((20, 20, 3), 255.0), "255"),
        (np.full((20, 20, 3), np.nan), "nan"),
        (np.zeros((0, 20, 3)), "20x0 px"),
    ],
)
def test_an_array_of_another_form_is_refused(array, said):
    assert said in refusal(array)


# Loading: bad files


def test_a_missing_file_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "missing.png")


def test_a_folder_is_refused(tmp_path):
    assert "directory" in refusal(tmp_path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    assert "is empty" in refusal(path)


def test_text_under_the_name_of_a_picture_is_refused(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("not a picture at all\n" * 9)
    assert "not a picture" in refusal(path)


def test_a_format_outside_the_six_families_is_refused(tmp_path):
    path = tmp_path / "picture.ppm"
    Image.new("RGB", (20, 20)).save(path)
    assert "JPEG, PNG, WEBP, TIFF, BMP, GIF" in refusal(path)


@pytest.mark.parametrize("suffix", sorted(images.READABLE_SUFFIXES))
@pytest.mark.parametrize("kept", [0.1, 0.6])
def test_a_truncated_file_is_refused(tmp_path, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    images.save_image(noise(64, 64), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    refusal(path)


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    images.save_image(noise(), path)

    def denied(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", denied)
    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize("size", [(15, 40), (40, 15)])
def test_a_picture_too_small_is_refused_with_its_size_and_the_minimum(tmp_path, size):
    path = tmp_path / "small.png"
    Image.new("RGB", size).save(path)
    message = refusal(path)
    assert f"{size[0]}x{size[1]} px" in message
    assert "at least 16 px" in message


@pytest.mark.parametrize("side", [50_000, 11_000])  # beyond Pillow's error, and beyond its warning alone
def test_a_decompression_bomb_is_refused(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_claiming(side, side))
    assert "pixels" in refusal(path)


def test_a_float_tiff_is_clipped_and_refused_when_not_finite(tmp_path):
    path = tmp_path / "float.tif"
    samples = np.linspace(-1, 2, 400, dtype=np.float32).reshape(20, 20)
    Image.fromarray(samples).save(path)
    np.testing.assert_allclose(images.load_image(path)[..., 0], samples.clip(0, 1))
    samples[3, 3] = np.inf
    Image.fromarray(samples).save(path)
    assert "not finite" in refusal(path)


def test_32_bit_integers_beyond_16_bits_are_refused(tmp_path):
    path = tmp_path / "wide.tif"
    Image.fromarray(np.full((20, 20), 70_000, np.int32)).save(path)
    assert "70000" in refusal(path)


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
    assert "400x20 px would become 100x5 px" in refusal(strip, max_size=100)
    assert "at least 16 px" in refusal(strip, max_size=8)


@light
@given(
    level=hnp.arrays(np.float32, (3,), elements=st.floats(0, 1, width=32)),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
)
def test_a_constant_stays_constant_when_resized(level, height, width):
    picture = np.broadcast_to(level, (24, 32, 3))
    resized = images.resize(picture, height, width)
    assert_is_picture(resized, height, width)
    np.testing.assert_allclose(resized, np.broadcast_to(level, resized.shape), atol=1e-6)


@light
@given(picture=pictures(), height=st.integers(1, 50), width=st.integers(1, 50))
def test_resizing_is_deterministic_and_stays_in_range(picture, height, width):
    resized = images.resize(picture, height, width)
    assert_is_picture(resized, height, width)
    np.testing.assert_array_equal(resized, images.resize(picture, height, width))


def test_resizing_down_is_antialiased():
    checkers = np.indices((64, 64)).sum(axis=0) % 2
    resized = images.resize(np.repeat(checkers[..., None], 3, axis=-1).astype(np.float32), 16, 16)
    np.testing.assert_allclose(resized, 0.5, atol=0.06)


def test_square_keeps_the_centre():
    picture = np.zeros((20, 60, 3), np.float32)
    picture[:, 20:40] = 1
    assert (images.square(picture, 20) == 1).all()
    assert_is_picture(images.square(picture.swapaxes(0, 1), 33), 33, 33)


# Colour


@light
@given(content=pictures(st.just(20), st.just(24)), stylized=pictures(st.just(20), st.just(24)))
def test_preserve_color_keeps_the_luma_of_the_stylized_picture(content, stylized):
    result = images.preserve_color(content, stylized)
    assert_is_picture(result, 20, 24)
    np.testing.assert_allclose(result @ LUMA, stylized @ LUMA, atol=1e-5)


def test_preserve_color_keeps_the_colours_of_the_content_where_rgb_can_hold_them():
    i_and_q = np.array([[0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)
    content, stylized = 0.4 + 0.2 * noise(seed=1), 0.4 + 0.2 * noise(seed=2)
    result = images.preserve_color(content, stylized)
    np.testing.assert_allclose(result @ i_and_q.T, content @ i_and_q.T, atol=1e-3)


def test_preserve_color_of_a_picture_with_itself_is_that_picture():
    np.testing.assert_allclose(images.preserve_color(noise(), noise()), noise(), atol=1e-5)


def test_preserve_color_wants_equal_sizes():
    with pytest.raises(InputError, match="32x24 px picture in a 24x32 px"):
        images.preserve_color(noise(24, 32), noise(32, 24))


# Encoding and saving


@light
@given(samples=hnp.arrays(np.uint8, (4, 5, 3)))
def test_8_bit_samples_survive_the_way_through_floats(samples):
    np.testing.assert_array_equal(images.to_uint8(images.from_uint8(samples)), samples)


@light
@given(picture=hnp.arrays(np.float32, (20, 17, 3), elements=st.floats(0, 1, width=32)))
def test_a_png_is_exact_to_half_an_8_bit_step(tmp_path, picture):
    path = tmp_path / "picture.png"
    images.save_image(picture, path)
    np.testing.assert_allclose(images.load_image(path), picture, atol=0.5 / 255 + 1e-6)
    assert images.encode_png(picture) == path.read_bytes()


@pytest.mark.parametrize("suffix", sorted(images.WRITABLE_SUFFIXES))
def test_every_writable_suffix_is_written_in_its_format(tmp_path, suffix):
    path = tmp_path / f"picture{suffix.upper()}"
    images.save_image(np.full((20, 30, 3), 0.5, np.float32), path)
    np.testing.assert_allclose(images.load_image(path), 0.5, atol=0.02)
    with Image.open(path) as image:
        assert suffix in [known for known, kind in Image.registered_extensions().items() if kind == image.format]


def test_quality_makes_smaller_files(tmp_path):
    for suffix in (".jpg", ".webp"):
        images.save_image(noise(64, 64), tmp_path / f"good{suffix}")
        images.save_image(noise(64, 64), tmp_path / f"poor{suffix}", quality=10)
        assert (tmp_path / f"poor{suffix}").stat().st_size < (tmp_path / f"good{suffix}").stat().st_size


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path, bad):
    picture = noise()
    picture[1, 2, 0] = bad
    with pytest.raises(WorkError, match="not finite"):
        images.save_image(picture, tmp_path / "picture.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["picture", "picture.ppm", "picture.txt"])
def test_an_unknown_suffix_is_refused_with_those_known(tmp_path, name):
    with pytest.raises(InputError, match=r"\.bmp .*\.jpg .*\.png .*\.webp"):
        images.save_image(noise(), tmp_path / name)


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_out_of_range_is_refused(tmp_path, quality):
    with pytest.raises(InputError, match=f"quality {quality}"):
        images.save_image(noise(), tmp_path / "picture.jpg", quality)


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    names = {
        "missing/picture.png": "create the folder",
        "file/picture.png": "inside a folder",
        "folder.png": "the name of a file",
        "long" * 99 + ".png": "shorter name",
    }
    for name, said in names.items():
        with pytest.raises(InputError, match=said) as caught:
            images.save_image(noise(), tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.png"]


def test_a_picture_its_format_cannot_hold_fails_in_one_line(tmp_path):
    with pytest.raises(WorkError, match="WEBP cannot hold this 16400x1 px picture"):
        images.save_image(np.zeros((1, 16400, 3), np.float32), tmp_path / "wide.webp")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, WorkError),
        (errno.EDQUOT, WorkError),
        (errno.EACCES, InputError),
        (errno.EROFS, InputError),
    ],
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, number, kind):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def failing(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(kind, match=os.strerror(number)):
        images.save_image(noise(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_encoding_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def failing(self, stream, *_, **__):
        stream.write(b"half a pic")
        raise OSError("encoder error")

    monkeypatch.setattr(Image.Image, "save", failing)
    with pytest.raises(WorkError, match="encoder error"):
        images.save_image(noise(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        images.save_image(noise(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_outgrows_the_limit_of_the_process_is_not_left_half(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    code = (
        "import resource, sys, numpy\n"
        "from toolkit import errors, images\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "picture = numpy.random.default_rng(0).random((64, 64, 3), numpy.float32)\n"
        "try:\n    images.save_image(picture, sys.argv[1])\n"
        "except errors.WorkError as error:\n    print(error)\n"
    )
    root = Path(images.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", code, path], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.startswith(f"cannot write {path}: File too large")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_permissions_the_umask_gives(tmp_path):
    path = tmp_path / "picture.png"
    old = os.umask(0o027)
    try:
        images.save_image(noise(), path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# Finding


def test_a_folder_gives_its_pictures_sorted(tmp_path):
    for name in ("b.PNG", "a.jpeg", "c.webp", ".hidden.png", "notes.txt", "picture"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "below.png").touch()
    assert [path.name for path in images.find_images(tmp_path)] == ["a.jpeg", "b.PNG", "c.webp"]


def test_a_file_gives_itself(tmp_path):
    path = tmp_path / "picture.odd"
    path.touch()
    assert images.find_images(str(path)) == [path]


def test_a_path_without_pictures_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no picture"):
        images.find_images(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        images.find_images(tmp_path / "missing")


# The module


def test_pictures_never_load_tensorflow():
    code = "import sys, toolkit.images; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    root = Path(images.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60)


def test_an_over_long_text_chunk_is_refused_like_any_broken_file(tmp_path):
    path = tmp_path / "text.png"
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    Image.new("RGB", (20, 20)).save(path, pnginfo=info)
    refusal(path)
