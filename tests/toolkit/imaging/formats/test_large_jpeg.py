"""toolkit.imaging.formats: A JPEG with more pixels than may be decoded is decoded to a half, a quarter or an eighth,
where that is enough."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.toolkit.made_pictures import assert_is_picture, noise, not_read
from toolkit.errors import InputError
from toolkit.imaging import images, samples
from toolkit.imaging.formats.jpeg import has_one_scan

WIDTH, HEIGHT = 448, 296


@pytest.fixture
def limit(monkeypatch):
    """Sets how many pixels may be decoded."""

    def call(pixels):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pixels)

    return call


@pytest.fixture(scope="module")
def photo():
    """A photo, WIDTH by HEIGHT pixels."""
    return images.to_pillow(samples.photos()["chelsea"][:HEIGHT, :WIDTH])


@pytest.fixture
def path(tmp_path, photo):
    """The photo as a JPEG."""
    photo.save(tmp_path / "photo.jpg", quality=95)
    return tmp_path / "photo.jpg"


def psnr(one, other):
    return -10 * np.log10(np.mean((one - other) ** 2))


@pytest.mark.parametrize(
    ("share", "max_size", "least"), [(1.1, 100, 44), (1.1, 224, 36), (4.5, 64, 40), (20, 32, 38), (20, 56, 32)]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_it_shows_what_a_whole_decode_would(tmp_path, photo, limit, share, max_size, least, mode, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    photo.convert(mode).save(path, quality=95, exif=exif)
    whole = images.load_image(path, max_size)
    limit(int(WIDTH * HEIGHT / share))
    reduced = images.load_image(path, max_size)
    assert_is_picture(reduced, *whole.shape[:2])
    assert psnr(reduced, whole) > least


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_size_that_no_half_divides_shifts_nothing(tmp_path, photo, limit, orientation):
    # Of 441 pixels an eighth is 56, the last of which reaches 7 pixels beyond the picture.
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    photo.crop((0, 0, 441, 289)).save(path, quality=95, exif=exif)
    whole = images.load_image(path, 28)
    limit(441 * 289 // 20)
    reduced = images.load_image(path, 28)
    assert reduced.shape == whole.shape
    assert psnr(reduced, whole) > 34


def test_a_jpeg_within_the_limit_is_decoded_whole(path, limit):
    before = images.load_image(path, 100)
    limit(WIDTH * HEIGHT)
    np.testing.assert_array_equal(images.load_image(path, 100), before)


def test_a_photo_of_several_pictures_is_decoded_smaller_too(tmp_path, photo, limit):
    path = tmp_path / "photo.mpo"
    photo.save(path, "MPO", save_all=True, append_images=[Image.new("RGB", photo.size)], quality=95)
    whole = images.load_image(path, 100)
    limit(WIDTH * HEIGHT // 2)
    assert psnr(images.load_image(path, 100), whole) > 40


@pytest.mark.parametrize("max_size", [None, 225, 448, 1024])
def test_without_a_bound_that_a_part_satisfies_it_is_refused_with_the_bound_that_does(path, limit, max_size):
    limit(WIDTH * HEIGHT // 2)
    message = not_read(path, max_size=max_size)
    assert "it has 0.1 megapixels, and at most 0.1 are decoded; " in message
    assert message.endswith("bound its longer side to 224 pixels or fewer (max_size, --max-size)")
    with path.open("rb") as stream, pytest.raises(InputError, match="224 pixels"):
        images.stored_size(stream, "it", max_size)


def test_the_size_is_told_without_decoding(path, limit):
    limit(WIDTH * HEIGHT // 2)
    with path.open("rb") as stream:
        assert images.stored_size(stream, "it", 100) == (100, 66)


def test_a_part_whose_shorter_side_is_enough_serves_where_a_square_is_cut(path, limit):
    whole = images.center_crop_resize(path, 64)
    limit(WIDTH * HEIGHT // 2)
    assert images.load_image(path, min_side=64).shape == (148, 224, 3)
    assert psnr(images.center_crop_resize(path, 64), whole) > 40
    with pytest.raises(InputError, match="224 pixels or fewer"):
        images.center_crop_resize(path, 149)


@pytest.mark.parametrize("kind", ["progressive", "one channel a scan"])
def test_what_a_decoder_must_keep_whole_is_refused(tmp_path, photo, limit, kind):
    path = tmp_path / "photo.jpg"
    if kind == "progressive":
        photo.save(path, progressive=True)
    else:
        path.write_bytes(one_channel_a_scan(photo))
    with path.open("rb") as stream:
        assert not has_one_scan(stream)
        assert stream.tell() == 0
    limit(WIDTH * HEIGHT // 2)
    assert "a progressive JPEG can only be decoded whole" in not_read(path, max_size=100)


def one_channel_a_scan(photo):
    """A JPEG whose first scan is said to hold one channel; what follows does not matter."""
    stream = io.BytesIO()
    photo.save(stream, "JPEG")
    data = bytearray(stream.getvalue())
    data[data.index(b"\xff\xda") + 4] = 1
    return data


@pytest.mark.parametrize(
    "damage", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00", b"\xff\xd8\xff\xda\x00\x03\x01"]
)
def test_what_is_cut_short_has_no_scan(damage):
    assert not has_one_scan(io.BytesIO(damage))


def test_a_header_that_claims_the_largest_size_is_refused_with_it(path, limit):
    data = bytearray(path.read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = (65500).to_bytes(2, "big") * 2
    path.write_bytes(data)
    assert "it has 4290.2 megapixels, and at most 89.5 are decoded; bound its longer side" in not_read(path)
    limit(65500**2 // 65)
    assert "it has 4290.2 megapixels, and at most 66.0 are decoded; give a smaller" in not_read(path, max_size=64)


def test_other_kinds_are_never_decoded_smaller(tmp_path, limit):
    limit(400)
    for suffix in sorted(images.WRITABLE_SUFFIXES - {".jpg", ".jpeg"}):
        path = tmp_path / f"picture{suffix}"
        images.save_image(noise(32, 32), path)
        assert "give a smaller picture, or a JPEG" in not_read(path, max_size=16)


def test_a_program_can_lift_the_limit(path, limit):
    limit(None)
    assert images.max_pixels() == float("inf")
    assert_is_picture(images.load_image(path), HEIGHT, WIDTH)
