"""Decodes JPEG and PNG, and encodes PNG, with TensorFlow operations, for the `image_bytes` signature.

The same rules as `toolkit.imaging.images`, in a graph that needs no Python: EXIF orientation applied, alpha composited
on white, gray and 16-bit pictures supported, the longer side bounded. Color profiles are not converted.
"""

from typing import Any

import tensorflow as tf

from toolkit.imaging.formats import header_limits

# Checked before any pixel is decoded.
MAX_PIXELS = header_limits.MAX_PIXELS
MAX_SCANS = header_limits.MAX_SCANS
# Each may inflate to 8 MB in the decoder, which keeps them all. A picture has one or two.
MAX_COMPRESSED_TEXTS = 16

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_ORIENTATION_TAG = 0x0112
# An EXIF segment is at most 64 KiB long and comes first; so do the chunks of a PNG that describe its colors.
_HEADER_REACH = 1 << 17
# No camera writes more entries.
_EXIF_MAX_ENTRIES = 512
_STRIP_PIXELS = 1 << 20


def _raw_bytes(contents: Any, start: int, length: int) -> Any:
    return tf.cast(tf.io.decode_raw(tf.strings.substr(contents, start, length), tf.uint8), tf.int32)


def _find(data: Any, marker: bytes) -> Any:
    """Returns the first position of a marker in longer data; the data's size if it does not occur."""
    length, size = len(marker), tf.size(data)
    windows = tf.stack([data[i : size - length + 1 + i] for i in range(length)], axis=-1)
    found = tf.where(tf.reduce_all(windows == tf.constant([*marker]), axis=-1))
    return tf.reduce_min(tf.concat([tf.cast(found[:, 0], tf.int32), [size]], axis=0))


def _integer(data: Any, offset: Any, width: int, little_endian: Any) -> Any:
    """Reads unsigned integers at offsets, which the caller keeps inside the data."""
    digits = tf.gather(data, tf.expand_dims(offset, -1) + tf.range(width))
    big = 256 ** tf.range(width - 1, -1, -1)
    return tf.reduce_sum(digits * tf.where(little_endian, big[::-1], big), axis=-1)


def _first_directory(data: Any, tiff: Any) -> Any:
    """Reads the orientation entry of the first image file directory of a TIFF header (TIFF 6.0, section 2)."""
    size = tf.size(data)
    little_endian = tf.gather(data, tiff) == ord("I")
    directory = tiff + _integer(data, tiff + 4, 4, little_endian)
    # Not directory + 2 <= size: next to 2**31 the sum would be negative.
    inside = (directory >= tiff) & (directory <= size - 2)
    count = _integer(data, tf.where(inside, directory, 0), 2, little_endian)
    entries = directory + 2 + 12 * tf.range(tf.minimum(count, _EXIF_MAX_ENTRIES))
    entries = tf.boolean_mask(entries, inside & (entries + 12 <= size) & (entries >= 0))
    values = tf.boolean_mask(
        _integer(data, entries + 8, 2, little_endian),
        _integer(data, entries, 2, little_endian) == _ORIENTATION_TAG,
    )
    orientation = tf.reduce_max(tf.concat([values[:1], [1]], axis=0))
    return tf.where(orientation <= 8, orientation, 1)


def exif_orientation(contents: Any) -> Any:
    """Reads the EXIF orientation of a JPEG (a scalar string), from 1 (upright, the default) to 8."""
    data = _raw_bytes(contents, 0, _HEADER_REACH)
    tiff = _find(data, b"Exif\x00\x00") + 6
    return tf.cond(tiff + 8 <= tf.size(data), lambda: _first_directory(data, tiff), lambda: tf.constant(1))


def orient(picture: Any, orientation: Any) -> Any:
    """Turns a picture [H, W, C] upright, by its EXIF orientation."""

    def asked(*values: int) -> Any:
        return tf.reduce_any(orientation == tf.constant(values))

    picture = tf.cond(orientation >= 5, lambda: tf.transpose(picture, (1, 0, 2)), lambda: picture)
    picture = tf.cond(asked(2, 3, 6, 7), lambda: picture[:, ::-1], lambda: picture)
    return tf.cond(asked(3, 4, 7, 8), lambda: picture[::-1], lambda: picture)


def _to_unit(picture: Any) -> Any:
    return tf.cast(picture, tf.float32) / float(picture.dtype.max)


def _on_white(picture: Any) -> Any:
    """Composites floats [H, W, 1 to 4] on white to [H, W, 1 or 3]."""
    alpha = picture[..., -1:]
    return tf.cond(tf.shape(picture)[-1] % 2 == 0, lambda: picture[..., :-1] * alpha + (1 - alpha), lambda: picture)


def _opaque(picture: Any) -> Any:
    """Composites integers [H, W, 1 to 4] on white in the same type: floats of all pixels would take gigabytes."""
    height, width, channels = tf.unstack(tf.shape(picture))
    rows = tf.maximum(_STRIP_PIXELS // width, 1)

    def add(index: Any, strips: tf.TensorArray) -> Any:
        on_white = _on_white(_to_unit(picture[index * rows : (index + 1) * rows]))
        return index + 1, strips.write(index, tf.cast(tf.round(on_white * picture.dtype.max), picture.dtype))

    def composited() -> Any:
        count = (height + rows - 1) // rows
        strips = tf.TensorArray(picture.dtype, count, infer_shape=False, element_shape=(None, None, None))
        _, strips = tf.while_loop(lambda index, _: index < count, add, (0, strips), parallel_iterations=1)
        return tf.reshape(strips.concat(), (height, width, channels - 1))

    return tf.cond(channels % 2 == 0, composited, lambda: picture)


def _decode_png(contents: Any, dtype: tf.DType) -> Any:
    def decoded(channels: int) -> Any:
        return tf.io.decode_png(contents, channels=channels, dtype=dtype)

    # The decoder applies the transparent color of a gray or RGB picture only when asked for four channels; but then it
    # also makes pictures with less than 8 bits per sample transparent.
    data = _raw_bytes(contents, 0, _HEADER_REACH)
    has_transparent_color = _find(data, b"tRNS") < _find(data, b"IDAT")
    return tf.cond(has_transparent_color, lambda: decoded(4), lambda: decoded(0))


def _decode_jpeg(contents: Any) -> Any:
    pixels = tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")
    return orient(pixels, exif_orientation(contents))


def _check_size(height: Any, width: Any, least: int) -> list[Any]:
    return [
        tf.debugging.assert_greater_equal(tf.minimum(height, width), least, f"a side is under {least} pixels"),
        tf.debugging.assert_less_equal(
            tf.cast(height, tf.int64) * tf.cast(width, tf.int64),
            tf.constant(MAX_PIXELS, tf.int64),
            f"a picture has more than {MAX_PIXELS} pixels",
        ),
    ]


def _check_at_most(count: int, marker: bytes, contents: Any, message: str) -> Any:
    parts = tf.size(tf.strings.split(contents, marker, maxsplit=count + 1))
    return tf.debugging.assert_less_equal(parts, count + 1, message)


def _check_work(contents: Any, is_png: Any) -> Any:
    """Refuses pictures that take excessive decoding time or memory."""

    def of_png() -> Any:
        message = f"a picture has more than {MAX_COMPRESSED_TEXTS} compressed texts of a kind"
        checks = [_check_at_most(MAX_COMPRESSED_TEXTS, kind, contents, message) for kind in (b"zTXt", b"iTXt")]
        with tf.control_dependencies(checks):
            return tf.constant(True)

    def of_jpeg() -> Any:
        message = f"a picture has more than {MAX_SCANS} scans"
        with tf.control_dependencies([_check_at_most(MAX_SCANS, b"\xff\xda", contents, message)]):
            return tf.constant(True)

    return tf.cond(is_png, of_png, of_jpeg)


def decode(contents: Any, max_size: int, min_side: int) -> Any:
    """Decodes one picture and bounds its size.

    Args:
        contents: scalar string, the bytes of a JPEG or PNG.
        max_size: the longer side is reduced to this many pixels; smaller pictures keep their size.
        min_side: pictures with a shorter side are refused.

    Returns:
        [H, W, 3] float32 in [0, 1]. Running it raises InvalidArgumentError for anything but a JPEG or PNG of an
        allowed size; sizes are read from the header, before memory is taken for the pixels.
    """
    is_png = tf.strings.substr(contents, 0, len(_PNG_MAGIC)) == _PNG_MAGIC
    known = tf.debugging.Assert(
        is_png | tf.io.is_jpeg(contents), ["not a JPEG or PNG picture of", tf.strings.length(contents), "bytes"]
    )
    with tf.control_dependencies([known]):
        contents = tf.identity(contents)
    # A truncated header reads as sides of 0.
    header = _raw_bytes(tf.strings.join([tf.strings.substr(contents, 0, 25), b"\0" * 25]), 16, 9)

    def png_size() -> Any:
        # A first byte over 127 would make a side negative.
        return _integer(tf.minimum(header[:8], [127, 255, 255, 255] * 2), tf.constant([0, 4]), 4, False)

    height, width = tf.unstack(tf.cond(is_png, png_size, lambda: tf.io.extract_jpeg_shape(contents)[:2]), 2)
    with tf.control_dependencies([*_check_size(height, width, min_side), _check_work(contents, is_png)]):
        contents = tf.identity(contents)

    def png(dtype: tf.DType) -> Any:
        return _bound(_decode_png(contents, dtype), max_size, min_side)

    return tf.cond(
        is_png,
        lambda: tf.cond(header[8] > 8, lambda: png(tf.uint16), lambda: png(tf.uint8)),
        lambda: _bound(_decode_jpeg(contents), max_size, min_side),
    )


def _bound(picture: Any, max_size: int, min_side: int) -> Any:
    """Bounds a possibly huge integer picture [H, W, 1 to 4], and converts it to opaque floats [H, W, 3]."""
    size = tf.cast(tf.shape(picture)[:2], tf.float64)
    longer = tf.reduce_max(size)
    # Multiplied before it is divided, so that halves round as in `toolkit.imaging.images`.
    bounded = tf.maximum(tf.cast(tf.round(size * max_size / longer), tf.int32), min_side)

    def reduce() -> Any:
        reduced = tf.image.resize(_opaque(picture), bounded, method="lanczos3", antialias=True)
        return tf.clip_by_value(reduced / float(picture.dtype.max), 0.0, 1.0)

    floats = tf.cond(longer > max_size, reduce, lambda: _on_white(_to_unit(picture)))
    is_gray = tf.shape(floats)[-1] == 1
    return tf.ensure_shape(tf.cond(is_gray, lambda: tf.repeat(floats, 3, axis=-1), lambda: floats), (None, None, 3))


def encode(picture: Any) -> Any:
    """Encodes a picture [H, W, 3], float32 in [0, 1], as an 8-bit PNG."""
    return tf.io.encode_png(tf.cast(tf.round(picture * 255), tf.uint8))
