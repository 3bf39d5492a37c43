"""toolkit.imaging.formats: TIFF files are read right or refused with the reason, in whichever of the format's many
layouts."""

import itertools

import numpy as np
import pytest
from PIL import Image

from tests.toolkit.made_pictures import not_read
from tests.toolkit.tiff_files import (
    BITS,
    COLOR_MAP,
    COMPRESSION,
    DEFLATE,
    EXTRA_SAMPLES,
    FILL_ORDER,
    PHOTOMETRIC,
    PLANAR,
    ROWS_PER_STRIP,
    SAMPLE_FORMAT,
    SAMPLES,
    YCBCR_SUBSAMPLING,
    tiff,
)
from toolkit.imaging import images

H, W = SIZE = (18, 24)
DOWN, ACROSS = np.mgrid[0 : 1 : H * 1j, 0 : 1 : W * 1j]
GRAY = (DOWN + ACROSS) / 2
RGB = np.stack([DOWN, ACROSS, 1 - DOWN], axis=-1)
ALPHA = 0.25 + 0.75 * ACROSS
ON_WHITE = RGB * ALPHA[..., None] + 1 - ALPHA[..., None]
STEP = 1.01 / 255
MIN_IS_WHITE, MIN_IS_BLACK, RGB_COLORS, PALETTE, CMYK, YCBCR, CIE_LAB = 0, 1, 2, 3, 5, 6, 8
FORMS = [pytest.param(order, packing, id=f"{order}{packing}") for order in "<>" for packing in (1, DEFLATE)]


@pytest.fixture
def load(tmp_path):
    """Writes strips with tags as a file and loads it."""

    def call(strips, tags, order="<", size=SIZE):
        path = tmp_path / "picture.tif"
        path.write_bytes(tiff(strips, size, tags, order))
        return images.load_image(path)

    return call


@pytest.fixture
def refused(tmp_path):
    """Writes strips with tags as a file and gives the line with which it is refused."""

    def call(strips, tags, order="<"):
        path = tmp_path / "picture.tif"
        path.write_bytes(tiff(strips, SIZE, tags, order))
        return not_read(path)

    return call


def samples(picture, dtype, order="<"):
    """A picture's samples over the whole range of an unsigned type."""
    return np.rint(picture * np.iinfo(dtype).max).astype(np.dtype(dtype).newbyteorder(order))


def packed(values, bits):
    """Samples of few bits, the first in the highest ones, each row padded to bytes."""
    as_bits = (values[..., None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(as_bits.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


def planes(array):
    return [array[..., channel].tobytes() for channel in range(array.shape[-1])]


def assert_shows(picture, expected, tolerance=STEP):
    expected = np.broadcast_to(expected[..., None] if expected.ndim == 2 else expected, picture.shape)
    np.testing.assert_allclose(picture, expected, atol=tolerance)


# Gray


@pytest.mark.parametrize(("bits", "photometric"), list(itertools.product((1, 2, 4, 8), (MIN_IS_WHITE, MIN_IS_BLACK))))
@pytest.mark.parametrize(("order", "packing"), FORMS)
def test_gray_of_up_to_8_bits_is_read_whatever_black_is(load, bits, photometric, order, packing):
    values = np.rint(GRAY * (2**bits - 1)).astype(int)
    picture = load([packed(values, bits)], {BITS: bits, PHOTOMETRIC: photometric, COMPRESSION: packing}, order)
    shown = values / (2**bits - 1)
    assert_shows(picture, shown if photometric else 1 - shown)


@pytest.mark.parametrize("photometric", [MIN_IS_WHITE, MIN_IS_BLACK])
@pytest.mark.parametrize("packing", [1, DEFLATE])
def test_16_bit_gray_is_read_whatever_black_is(load, photometric, packing):
    tags = {BITS: 16, PHOTOMETRIC: photometric, COMPRESSION: packing}
    picture = load([samples(GRAY, np.uint16).tobytes()], tags)
    assert_shows(picture, GRAY if photometric else 1 - GRAY, 1 / 65535)


@pytest.mark.parametrize("packing", [1, DEFLATE])
def test_big_endian_16_bit_gray_is_read(load, packing):
    tags = {BITS: 16, PHOTOMETRIC: MIN_IS_BLACK, COMPRESSION: packing}
    assert_shows(load([samples(GRAY, np.uint16, ">").tobytes()], tags, ">"), GRAY, 1 / 65535)


@pytest.mark.parametrize("packing", [1, DEFLATE])
def test_12_bit_gray_spans_the_whole_range(load, packing):
    values = np.rint(GRAY * 4095).astype(int)
    picture = load([packed(values, 12)], {BITS: 12, PHOTOMETRIC: MIN_IS_BLACK, COMPRESSION: packing})
    assert_shows(picture, GRAY, 1 / 4095)


@pytest.mark.parametrize("photometric", [MIN_IS_WHITE, MIN_IS_BLACK])
@pytest.mark.parametrize(("order", "packing"), [("<", 1), ("<", DEFLATE), (">", 1)])
def test_float_gray_in_0_to_1_is_read_whatever_black_is(load, photometric, order, packing):
    tags = {BITS: 32, PHOTOMETRIC: photometric, SAMPLE_FORMAT: 3, COMPRESSION: packing}
    picture = load([GRAY.astype(f"{order}f4").tobytes()], tags, order)
    assert_shows(picture, GRAY if photometric else 1 - GRAY, 1e-6)


@pytest.mark.parametrize(("scale", "said"), [(255, "samples from 0 to 255"), (np.nan, "not finite")])
def test_float_gray_of_another_range_is_refused_with_it(refused, scale, said):
    tags = {BITS: 32, PHOTOMETRIC: MIN_IS_BLACK, SAMPLE_FORMAT: 3}
    assert said in refused([(GRAY * scale).astype("<f4").tobytes()], tags)


def test_big_endian_compressed_floats_are_refused(refused):
    tags = {BITS: 32, PHOTOMETRIC: MIN_IS_BLACK, SAMPLE_FORMAT: 3, COMPRESSION: DEFLATE}
    assert "big-endian and compressed" in refused([GRAY.astype(">f4").tobytes()], tags, ">")


@pytest.mark.parametrize("white", [255, 65535, 2**31 - 1])
@pytest.mark.parametrize("dtype", ["u4", "i4"])
def test_32_bit_integers_are_refused_for_white_cannot_be_told(refused, white, dtype):
    tags = {BITS: 32, PHOTOMETRIC: MIN_IS_BLACK, SAMPLE_FORMAT: 1 if dtype == "u4" else 2}
    assert "their white level cannot be determined" in refused([(GRAY * white).astype(dtype).tobytes()], tags)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("order", "packing"), FORMS)
def test_signed_integers_are_refused(refused, bits, order, packing):
    tags = {BITS: bits, PHOTOMETRIC: MIN_IS_BLACK, SAMPLE_FORMAT: 2, COMPRESSION: packing}
    assert "its samples are signed" in refused([bytes(H * W * bits // 8)], tags, order)


@pytest.mark.parametrize(("bits", "sample_format"), [(16, 3), (64, 3), (64, 1), (24, 1)])
def test_samples_that_pillow_has_no_mode_for_are_told_as_such_and_not_as_another_file(refused, bits, sample_format):
    tags = {BITS: bits, PHOTOMETRIC: MIN_IS_BLACK, SAMPLE_FORMAT: sample_format}
    message = refused([bytes(H * W * bits // 8)], tags)
    kind = "float" if sample_format == 3 else "unsigned integer"
    assert f"a TIFF of this kind (gray, one sample a pixel, {kind} of {bits} bits, uncompressed)" in message


def test_bits_that_are_stored_last_first_are_read(load):
    reversed_bits = np.array([int(f"{value:08b}"[::-1], 2) for value in range(256)], np.uint8)
    strip = reversed_bits[samples(GRAY, np.uint8)].tobytes()
    assert_shows(load([strip], {BITS: 8, PHOTOMETRIC: MIN_IS_BLACK, FILL_ORDER: 2}), GRAY)


# Colors


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("order", "packing"), FORMS)
def test_interleaved_rgb_is_read(load, dtype, order, packing):
    bits = (8 * np.dtype(dtype).itemsize,) * 3
    tags = {BITS: bits, SAMPLES: 3, PHOTOMETRIC: RGB_COLORS, COMPRESSION: packing}
    assert_shows(load([samples(RGB, dtype, order).tobytes()], tags, order), RGB)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("order", "packing"), FORMS)
@pytest.mark.parametrize("is_multiplied_in", [False, True])
def test_alpha_is_composited_on_white_multiplied_in_or_not(load, dtype, order, packing, is_multiplied_in):
    color = RGB * ALPHA[..., None] if is_multiplied_in else RGB
    rgba = samples(np.concatenate([color, ALPHA[..., None]], axis=-1), dtype, order)
    bits = (8 * np.dtype(dtype).itemsize,) * 4
    extra = 1 if is_multiplied_in else 2
    tags = {BITS: bits, SAMPLES: 4, PHOTOMETRIC: RGB_COLORS, EXTRA_SAMPLES: extra, COMPRESSION: packing}
    assert_shows(load([rgba.tobytes()], tags, order), ON_WHITE, 2.5 / 255)


def test_a_fourth_channel_that_is_no_alpha_is_left_out(load):
    four = samples(np.concatenate([RGB, ALPHA[..., None]], axis=-1), np.uint8)
    tags = {BITS: (8,) * 4, SAMPLES: 4, PHOTOMETRIC: RGB_COLORS, EXTRA_SAMPLES: 0}
    assert_shows(load([four.tobytes()], tags), RGB)


@pytest.mark.parametrize(("order", "packing"), FORMS)
def test_8_bit_planes_are_put_together(load, order, packing):
    tags = {BITS: (8,) * 3, SAMPLES: 3, PHOTOMETRIC: RGB_COLORS, PLANAR: 2, COMPRESSION: packing}
    assert_shows(load(planes(samples(RGB, np.uint8)), tags, order), RGB)


def test_planes_of_several_strips_are_put_together(load):
    eight_bit = samples(RGB, np.uint8)
    strips = [eight_bit[top : top + 5, :, channel].tobytes() for channel in range(3) for top in range(0, H, 5)]
    tags = {BITS: (8,) * 3, SAMPLES: 3, PHOTOMETRIC: RGB_COLORS, PLANAR: 2, ROWS_PER_STRIP: 5}
    assert_shows(load(strips, tags), RGB)


@pytest.mark.parametrize("order", ["<", ">"])
def test_compressed_16_bit_planes_are_read_and_others_refused(load, refused, order):
    deep = planes(samples(RGB, np.uint16, order))
    tags = {BITS: (16,) * 3, SAMPLES: 3, PHOTOMETRIC: RGB_COLORS, PLANAR: 2}
    assert_shows(load(deep, {**tags, COMPRESSION: DEFLATE}, order), RGB)
    message = refused(deep, tags, order)
    assert "its 16-bit channels are stored in planes, without compression" in message
    assert "convert it to unsigned integers of 8 or 16 bits, interleaved" in message


@pytest.mark.parametrize("packing", [1, DEFLATE])
def test_planes_of_lab_or_of_gray_with_alpha_are_refused(refused, packing):
    lab = {BITS: (8,) * 3, SAMPLES: 3, PHOTOMETRIC: CIE_LAB, PLANAR: 2, COMPRESSION: packing}
    assert "neither RGB nor CMYK" in refused([bytes(H * W)] * 3, lab)
    gray = {BITS: (8,) * 2, SAMPLES: 2, PHOTOMETRIC: MIN_IS_BLACK, EXTRA_SAMPLES: 2, PLANAR: 2, COMPRESSION: packing}
    assert "neither RGB nor CMYK" in refused([bytes(H * W)] * 2, gray)


def test_gray_with_alpha_is_composited_on_white(load):
    both = samples(np.stack([GRAY, ALPHA], axis=-1), np.uint8)
    tags = {BITS: (8, 8), SAMPLES: 2, PHOTOMETRIC: MIN_IS_BLACK, EXTRA_SAMPLES: 2}
    assert_shows(load([both.tobytes()], tags), GRAY * ALPHA + 1 - ALPHA, 2.5 / 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("is_planar", [False, True])
def test_cmyk_is_read(load, dtype, is_planar):
    inks = samples(np.concatenate([1 - RGB, np.zeros((*SIZE, 1))], axis=-1), dtype)
    bits = (8 * np.dtype(dtype).itemsize,) * 4
    tags = {BITS: bits, SAMPLES: 4, PHOTOMETRIC: CMYK, COMPRESSION: DEFLATE, PLANAR: 1 + is_planar}
    assert_shows(load(planes(inks) if is_planar else [inks.tobytes()], tags), RGB, 2.5 / 255)


def test_lab_is_read_with_its_signed_colors(load):
    middle = np.zeros((*SIZE, 3), np.int8)
    middle[..., 0] = 127  # L* 50
    tags = {BITS: (8,) * 3, SAMPLES: 3, PHOTOMETRIC: CIE_LAB}
    assert_shows(load([middle.tobytes()], tags), np.full(SIZE, 119 / 255), 2.5 / 255)
    middle[..., 1] = 60
    red, green, _ = load([middle.tobytes()], tags)[0, 0]
    assert red > 0.7 > 0.3 > green


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_is_looked_up(load, bits):
    steps = np.linspace(0, 65535, 2**bits).astype(int)
    values = np.rint(GRAY * (2**bits - 1)).astype(int)
    color_map = (*steps, *steps[::-1], *steps)
    picture = load([packed(values, bits)], {BITS: bits, PHOTOMETRIC: PALETTE, COLOR_MAP: tuple(map(int, color_map))})
    shown = values / (2**bits - 1)
    assert_shows(picture, np.stack([shown, 1 - shown, shown], axis=-1))


def test_ycbcr_is_read_where_it_is_compressed_and_refused_where_not(load, refused):
    ycbcr = np.asarray(Image.fromarray(samples(RGB, np.uint8)).convert("YCbCr"))
    tags = {BITS: (8,) * 3, SAMPLES: 3, PHOTOMETRIC: YCBCR, YCBCR_SUBSAMPLING: (1, 1)}
    assert_shows(load([ycbcr.tobytes()], {**tags, COMPRESSION: DEFLATE}), RGB, 4 / 255)
    assert "YCbCr without compression" in refused([ycbcr.tobytes()], tags)
    assert "neither RGB nor CMYK" in refused(planes(ycbcr), {**tags, PLANAR: 2, COMPRESSION: DEFLATE})


def test_rgb_of_floats_is_refused_by_its_kind(refused):
    tags = {BITS: (32,) * 3, SAMPLES: 3, PHOTOMETRIC: RGB_COLORS, SAMPLE_FORMAT: (3, 3, 3)}
    assert "RGB, 3 interleaved samples a pixel, float of 32 bits" in refused([RGB.astype("f4").tobytes()], tags)


# As Pillow writes them


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_compression_is_read(tmp_path, mode, compression):
    path = tmp_path / "picture.tif"
    image = Image.fromarray(samples(RGB, np.uint8)).convert(mode)
    image.save(path, compression=compression)
    expected = np.asarray(image.convert("RGB")) / 255
    assert_shows(images.load_image(path), expected, 0.1 if compression == "tiff_jpeg" else STEP)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_a_predictor_is_undone(tmp_path, mode):
    path = tmp_path / "picture.tif"
    deep = Image.fromarray(samples(GRAY, np.uint16))
    image = deep if mode == "I;16" else Image.fromarray(samples(RGB, np.uint8)).convert(mode)
    image.save(path, compression="tiff_lzw", tiffinfo={317: 2})
    plain = tmp_path / "plain.tif"
    image.save(plain)
    np.testing.assert_array_equal(images.load_image(path), images.load_image(plain))


def test_an_image_that_pillow_opened_is_held_to_the_same_rules(tmp_path):
    path = tmp_path / "picture.tif"
    path.write_bytes(tiff([samples(GRAY, np.uint16).tobytes()], SIZE, {BITS: 16, PHOTOMETRIC: MIN_IS_WHITE}))
    with Image.open(path) as image:
        assert_shows(images.load_image(image), 1 - GRAY, 1 / 65535)
