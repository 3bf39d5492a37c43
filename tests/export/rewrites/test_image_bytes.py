"""export.rewrites: The graph that decodes pictures follows the rules of `toolkit.imaging`, whatever cameras and
vandals write."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from export.formats import feed_forward_saved_model
from export.rewrites import image_bytes
from tests.examples import examples
from toolkit.imaging import images, samples

MAX_SIZE = 100
MIN_SIDE = 16
STEP = 1 / 255


@pytest.fixture(scope="module")
def decode():
    """Decodes bytes in a graph, as the signature does, without bounding the size of what the tests use."""
    return graph_of(1024)


@pytest.fixture(scope="module")
def decode_bounded():
    return graph_of(MAX_SIZE)


def graph_of(max_size):
    function = tf.function(
        lambda contents: image_bytes.decode(contents, max_size, MIN_SIDE), [tf.TensorSpec((), tf.string)]
    )
    concrete = function.get_concrete_function()
    return lambda contents: concrete(tf.constant(contents)).numpy()


@pytest.fixture(scope="module")
def photo():
    return Image.fromarray(images.to_uint8(images.resize(samples.photos()["chelsea"], 90, 133)))


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def loaded(contents, max_size=None):
    """What `toolkit.imaging.images` makes of the same bytes."""
    return images.load_image(Image.open(io.BytesIO(contents)), max_size)


def assert_same(picture, expected, bound=STEP):
    assert picture.dtype == np.float32
    assert picture.shape == expected.shape
    difference = np.abs(picture - expected).max()
    assert difference <= bound, f"differs by {difference * 255:.2f}/255"


def error_of(decode, contents):
    with pytest.raises(tf.errors.OpError) as caught:
        decode(contents)
    return caught.value.message


def alpha_ramp(image):
    """Every alpha, over the width of an image."""
    ramp = np.linspace(0, 255, image.width).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(ramp, (image.height, image.width)).copy())


def with_alpha(image):
    image = image.copy()
    image.putalpha(alpha_ramp(image))
    return image


def deep(image):
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def color_at(image, x=66, y=45):
    return image.getpixel((x, y))


# Every kind of JPEG and PNG

JPEGS = {
    "color": lambda photo: (photo, {"quality": 90}),
    "color, full chroma": lambda photo: (photo, {"quality": 95, "subsampling": 0}),
    "progressive": lambda photo: (photo, {"progressive": True}),
    "gray": lambda photo: (photo.convert("L"), {}),
    "CMYK": lambda photo: (photo.convert("CMYK"), {}),
}
PNGS = {
    "color": lambda photo: (photo, {}),
    "gray": lambda photo: (photo.convert("L"), {}),
    "gray, 16 bit": lambda photo: (deep(photo), {}),
    "black and white": lambda photo: (photo.convert("1"), {}),
    "palette": lambda photo: (photo.quantize(200), {}),
    "palette, 4 bit": lambda photo: (photo.quantize(16), {"bits": 4}),
    "palette, 1 bit": lambda photo: (photo.quantize(2), {"bits": 1}),
    "color and alpha": lambda photo: (with_alpha(photo), {}),
    "gray and alpha": lambda photo: (with_alpha(photo.convert("L")), {}),
    "palette and alphas": lambda photo: (photo.quantize(200), {"transparency": bytes(range(200))}),
    "palette, 4 bit, and alphas": lambda photo: (
        photo.quantize(16), {"bits": 4, "transparency": bytes(range(0, 160, 10))}
    ),
    "palette and a transparent color": lambda photo: (
        photo.quantize(16), {"transparency": color_at(photo.quantize(16))}
    ),
    "gray and a transparent color": lambda photo: (
        photo.convert("L"), {"transparency": color_at(photo.convert("L"))}
    ),
    "gray, 16 bit, and a transparent color": lambda photo: (deep(photo), {"transparency": color_at(deep(photo))}),
    "black and white, black transparent": lambda photo: (photo.convert("1"), {"transparency": 0}),
    "color and a transparent color": lambda photo: (photo, {"transparency": color_at(photo)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", JPEGS)
def test_every_kind_of_jpeg_is_read_as_toolkit_images_reads_it(decode, photo, kind):
    image, options = JPEGS[kind](photo)
    contents = encoded(image, "JPEG", **options)
    assert_same(decode(contents), loaded(contents))


@pytest.mark.parametrize("kind", PNGS)
def test_every_kind_of_png_is_read_as_toolkit_images_reads_it(decode, photo, kind):
    image, options = PNGS[kind](photo)
    contents = encoded(image, "PNG", **options)
    assert_same(decode(contents), loaded(contents))


def test_half_alpha_is_halfway_to_white(decode):
    contents = encoded(Image.new("RGBA", (20, 16), (255, 0, 102, 51)), "PNG")
    np.testing.assert_allclose(decode(contents), np.full((16, 20, 3), (1.0, 0.8, 0.88)), atol=1e-6)


def test_16_bits_are_kept(decode):
    levels = np.linspace(0, 65535, 16 * 20).astype(np.uint16).reshape(16, 20)
    contents = encoded(Image.fromarray(levels), "PNG")
    np.testing.assert_allclose(decode(contents)[..., 0], levels / 65535, atol=1e-6)


@settings(max_examples=examples(25), deadline=None)
@given(st.integers(16, 60), st.integers(16, 60), st.sampled_from(["JPEG", "PNG"]), st.integers(0, 9))
def test_pictures_of_any_size_are_read_alike(decode, height, width, kind, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    contents = encoded(Image.fromarray(noise), kind)
    assert_same(decode(contents), loaded(contents))


# Size


@settings(max_examples=examples(40), deadline=None)
@given(st.integers(40, 240), st.integers(40, 240))
@example(85, 136)  # 62.5 is rounded to even
def test_the_longer_side_is_bounded_to_the_size_that_toolkit_images_gives(decode_bounded, height, width):
    contents = encoded(Image.new("RGB", (width, height), (10, 200, 90)), "PNG")
    expected = loaded(contents, MAX_SIZE).shape
    assert decode_bounded(contents).shape == expected
    assert max(expected) <= max(MAX_SIZE, 3)


@pytest.mark.parametrize("name", ["chelsea", "coffee", "astronaut"])
def test_a_bounded_picture_is_the_antialiased_one(decode_bounded, name):
    photo = images.resize(samples.photos()[name], 200, 287)
    contents = images.encode_png(photo)
    height, width = loaded(contents, MAX_SIZE).shape[:2]
    assert_same(decode_bounded(contents), images.resize(loaded(contents), height, width))


def test_a_small_picture_is_not_enlarged(decode_bounded, photo):
    contents = encoded(photo.crop((0, 0, 99, 50)), "PNG")
    assert_same(decode_bounded(contents), loaded(contents))


def test_a_long_strip_keeps_the_least_side(decode_bounded):
    contents = encoded(Image.new("RGB", (1600, 20)), "PNG")
    assert decode_bounded(contents).shape == (MIN_SIDE, MAX_SIZE, 3)


# EXIF orientation


def with_exif(jpeg, payload):
    """Puts an EXIF segment in front of everything else in a JPEG."""
    segment = b"Exif\0\0" + payload
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def directory(order, entries, offset=8):
    """A TIFF header and its first directory, of entries (tag, type, count, value as 4 bytes)."""
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", offset)
    packed = b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3] for entry in entries)
    return header + b"\0" * (offset - 8) + struct.pack(f"{order}H", len(entries)) + packed + b"\0\0\0\0"


def orientation_entry(order, value):
    return (0x0112, 3, 1, struct.pack(f"{order}HH", value, 0))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_that_of_pillow(decode, photo, order, orientation):
    others = [(0x010F, 2, 4, b"abc\0"), orientation_entry(order, orientation), (0x0213, 3, 1, b"\0\0\0\0")]
    contents = with_exif(encoded(photo, "JPEG"), directory(order, others, offset=20))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(contents)))
    assert (upright.size == photo.size) == (orientation < 5), "Pillow did not read the orientation"
    assert_same(decode(contents), images.from_uint8(np.asarray(upright)))


def test_an_orientation_that_pillow_wrote_is_read(decode, photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = encoded(photo, "JPEG", exif=exif)
    assert_same(decode(contents), loaded(contents))
    assert decode(contents).shape == (133, 90, 3)


@pytest.mark.parametrize("value", [0, 9, 255, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(decode, photo, value):
    jpeg = encoded(photo, "JPEG")
    assert_same(decode(with_exif(jpeg, directory("<", [orientation_entry("<", value)]))), loaded(jpeg))


@pytest.fixture(scope="module")
def patch():
    """A small JPEG that looks different in each of its eight turns."""
    image = samples.photos()["astronaut"][40:60, 200:224]
    return encoded(Image.fromarray(images.to_uint8(image)), "JPEG", quality=95)


# Behind the start of the file, the segment's marker and length, and "Exif\0\0".
TIFF_START = 12
LAST_BYTE = 2**31 - 1
hostile_directories = st.builds(
    lambda order, offset, count, body: order + struct.pack(">I", offset) + struct.pack(">H", count) + body,
    st.sampled_from([b"II*\0", b"MM\0*", b"MM*\0", b"\xff\xff\xff\xff"]),
    st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1), st.integers(LAST_BYTE - 40, LAST_BYTE + 40)),
    st.integers(0, 65535),
    st.lists(
        st.sampled_from(
            [b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0", b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", b"\xff" * 12]
        )
    ).map(b"".join),
)  # fmt: skip


@settings(max_examples=examples(300), deadline=None)
@given(st.one_of(st.binary(max_size=300), hostile_directories))
@example(b"")
@example(b"MM\0*\0\0\0")
@example(b"MM\0*" + struct.pack(">I", LAST_BYTE - TIFF_START) + b"\0\x01")
@example(b"MM\0*" + struct.pack(">I", LAST_BYTE - TIFF_START - 1) + b"\0\x01")
@example(b"MM\0*\xff\xff\xff\xff\xff\xff")
@example(directory("<", [orientation_entry("<", 6)])[:-8])
@example(directory(">", [orientation_entry(">", 6)] * 5000))
def test_no_exif_block_makes_a_good_jpeg_fail(decode, patch, payload):
    upright = loaded(patch)
    flipped = upright.transpose(1, 0, 2)
    turns = [side[::rows, ::columns] for side in (upright, flipped) for rows in (1, -1) for columns in (1, -1)]
    picture = decode(with_exif(patch, payload))
    distances = [np.abs(picture - turn).max() if picture.shape == turn.shape else np.inf for turn in turns]
    assert min(distances) <= STEP, f"not one of the eight turns of the picture: {min(distances) * 255:.0f}/255 off"


def test_exif_at_the_very_end_of_a_file_is_not_read_past_it(decode, patch):
    for tail in (b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0", b"Exif\0\0MM\0*\0\0\0\x08\0\xff"):
        assert_same(decode(patch + tail), loaded(patch))


# What is refused


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(bytes(64)))


def jpeg_claiming(contents, width, height):
    start = contents.index(b"\xff\xc0") + 5
    return contents[:start] + struct.pack(">HH", height, width) + contents[start + 4 :]


@pytest.mark.parametrize("size", [(10_000, 10_000), (2**31 - 1, 2**31 - 1), (2**32 - 1, 2**32 - 1), (16, 6_000_000)])
def test_a_png_bomb_is_refused_by_its_header(decode, size):
    assert "more than 89478485 pixels" in error_of(decode, png_claiming(*size))


def test_a_jpeg_bomb_is_refused_by_its_header(decode, photo):
    bomb = jpeg_claiming(encoded(photo, "JPEG"), 65_000, 65_000)
    assert "more than 89478485 pixels" in error_of(decode, bomb)


def test_the_limit_is_that_of_pillow():
    assert image_bytes.MAX_PIXELS == Image.MAX_IMAGE_PIXELS


def with_scans(contents, count):
    """A progressive JPEG whose first scan comes many times."""
    start = contents.index(b"\xff\xda")
    end = min(contents.index(mark, start + 2) for mark in (b"\xff\xc4", b"\xff\xda"))
    return contents[:end] + contents[start:end] * count + contents[end:]


def with_chunks(contents, kind, held, count):
    return contents[:33] + png_chunk(kind, held) * count + contents[33:]


def test_a_jpeg_of_hundreds_of_scans_is_refused(decode, photo):
    progressive = encoded(photo, "JPEG", progressive=True)
    assert_same(decode(progressive), loaded(progressive))
    assert "more than 32 scans" in error_of(decode, with_scans(progressive, 300))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_png_of_many_texts_that_inflate_is_refused(decode, photo, kind):
    held = b"Comment\0" + {b"zTXt": b"\0", b"iTXt": b"\1\0\0\0"}[kind] + zlib.compress(bytes(100))
    contents = encoded(photo, "PNG")
    assert_same(decode(with_chunks(contents, kind, held, 10)), loaded(contents))
    assert "more than 16 compressed texts" in error_of(decode, with_chunks(contents, kind, held, 300))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("strip", [1, 500, 10_000])
def test_a_large_picture_with_alpha_is_composited_in_strips(monkeypatch, photo, mode, strip):
    monkeypatch.setattr(image_bytes, "_STRIP_PIXELS", strip)
    contents = encoded(with_alpha(photo).convert(mode), "PNG")
    assert_same(graph_of(MAX_SIZE)(contents), loaded(contents, MAX_SIZE))


@pytest.mark.parametrize("size", [(15, 40), (40, 15), (1, 1), (3, 400)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_with_a_side_too_short_is_refused(decode, size, kind):
    assert "a side is under 16 pixels" in error_of(decode, encoded(Image.new("RGB", size), kind))


@pytest.mark.parametrize("contents", [b"", b"\xff", b"text, renamed", b"GIF89a", b"\x89PNG", b"%PDF-1.4", b"\0" * 100])
def test_what_is_no_jpeg_or_png_is_refused_with_its_length(decode, contents):
    message = error_of(decode, contents)
    assert "not a JPEG or PNG picture" in message
    assert f"[{len(contents)}]" in message


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_of_another_format_is_refused(decode, photo, kind):
    assert "not a JPEG or PNG picture" in error_of(decode, encoded(photo, kind))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_picture_is_refused(decode, photo, kind, kept):
    contents = encoded(photo, kind)
    assert f"Invalid {kind} data" in error_of(decode, contents[: int(kept * len(contents))])


@settings(max_examples=examples(60), deadline=None)
@given(kind=st.sampled_from(["JPEG", "PNG"]), kept=st.integers(0, 60))
def test_a_header_cut_short_anywhere_is_refused(decode, patch, kind, kept):
    contents = patch if kind == "JPEG" else encoded(Image.open(io.BytesIO(patch)), "PNG")
    assert error_of(decode, contents[:kept])


# Encoding and the signature


@settings(max_examples=examples(25), deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 9))
def test_a_picture_is_encoded_as_a_png_of_the_nearest_levels(height, width, seed):
    picture = np.random.default_rng(seed).random((height, width, 3), np.float32)
    with Image.open(io.BytesIO(image_bytes.encode(picture).numpy())) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        np.testing.assert_array_equal(np.asarray(image), images.to_uint8(picture))


@pytest.fixture(scope="module")
def stylize_bytes(stylizer):
    concrete = feed_forward_saved_model.serving_functions(stylizer, MAX_SIZE)["image_bytes"].get_concrete_function()

    def call(contents, styles):
        result = concrete(content_image_bytes=tf.constant(contents), style_image_bytes=tf.constant(styles))
        return result["stylized_image_bytes"].numpy()

    return call


def test_a_batch_of_different_sizes_is_stylized_each_at_its_own(stylize_bytes, decode_bounded, stylizer, photo):
    contents = [
        encoded(photo.crop((0, 0, 64, 41)), "JPEG", quality=95),
        encoded(with_alpha(photo.crop((30, 20, 79, 90))), "PNG"),
        images.encode_png(images.resize(samples.photos()["rocket"], 150, 200)),  # bounded to 75x100
    ]
    styles = [
        images.encode_png(images.center_crop_resize(samples.styles()["starry_night"], 64)),
        encoded(Image.fromarray(images.to_uint8(images.resize(samples.styles()["composition_vii"], 40, 70))), "JPEG"),
        images.encode_png(images.center_crop_resize(samples.styles()["stained_tissue"], 50)),
    ]
    results = stylize_bytes(contents, styles)
    shapes = [(41, 64, 3), (70, 49, 3), (75, 100, 3)]
    for result, content, style, shape in zip(results, contents, styles, shapes, strict=True):
        picture = loaded(result)
        assert picture.shape == shape
        # What it decodes to is tested above; a stylizer makes much of the last bit of alpha.
        expected = np.asarray(stylizer(*(decode_bounded(one)[None] for one in (content, style))))[0]
        assert_same(picture, expected)
        assert expected.std() > 0.05


def test_one_bad_picture_in_a_batch_is_refused_with_its_reason(stylize_bytes, photo):
    good = encoded(photo, "JPEG")
    with pytest.raises(tf.errors.InvalidArgumentError, match="not a JPEG or PNG picture"):
        stylize_bytes([good, b"text"], [good, good])
    with pytest.raises(tf.errors.InvalidArgumentError, match="a side is under 16 pixels"):
        stylize_bytes([good], [encoded(photo.crop((0, 0, 15, 60)), "PNG")])


@pytest.mark.parametrize("counts", [(1, 2), (2, 1)])
def test_a_batch_without_a_style_for_each_content_is_refused(stylize_bytes, photo, counts):
    good = encoded(photo.crop((0, 0, 20, 20)), "PNG")
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many style pictures as content pictures"):
        stylize_bytes(*([good] * count for count in counts))
