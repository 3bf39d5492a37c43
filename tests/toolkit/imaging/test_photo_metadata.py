"""toolkit.imaging: What a painting keeps of its photo's metadata, and what it must not tell."""

import io

import pytest
from PIL import ExifTags, Image, ImageCms

from toolkit import cli
from toolkit.imaging import images
from toolkit.imaging.encoding import encode_png
from toolkit.imaging.photo_metadata import read_metadata

BASE = ExifTags.Base


@pytest.fixture
def photo(pictures):
    """A photo as a camera writes it: turned, dated, placed, with a thumbnail and a profile that is not sRGB's."""
    exif = Image.Exif()
    exif[BASE.Make], exif[BASE.Model], exif[BASE.Orientation] = "Maker", "Model 1", 6
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {BASE.DateTimeOriginal: "2026:05:04 03:02:01", BASE.FNumber: 2.8, BASE.BodySerialNumber: "SECRET-1"}
    )
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (47.0, 22.0, 1.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    path = pictures / "photo.jpg"
    with Image.open(pictures / "cat.png") as image:
        image.save(path, exif=exif, icc_profile=profile)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_date_camera_and_profile_are_kept_and_the_place_is_not(photo, tmp_path, suffix):
    output = tmp_path / f"painting{suffix}"
    images.save_image(images.load_image(photo), output, metadata=read_metadata(photo))
    with Image.open(output) as image:
        exif = image.getexif()
        shot = exif.get_ifd(ExifTags.IFD.Exif)
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert image.size == (50, 70), "it was turned upright"
    assert (exif[BASE.Make], exif[BASE.Model]) == ("Maker", "Model 1")
    assert shot[BASE.DateTimeOriginal] == "2026:05:04 03:02:01"
    assert float(shot[BASE.FNumber]) == pytest.approx(2.8)
    assert exif.get(BASE.Orientation, 1) == 1
    assert not exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert BASE.BodySerialNumber not in shot
    assert b"SECRET" not in output.read_bytes()
    assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_the_command_keeps_them(photo, pictures, tmp_path):
    output = tmp_path / "painting.jpg"
    assert cli.run(["stylize", str(photo), str(pictures / "starry_night.png"), "-o", str(output)]) == 0
    with Image.open(output) as image:
        assert image.getexif()[BASE.Model] == "Model 1"
        assert image.info["icc_profile"]


def test_a_photo_without_metadata_gives_a_file_without(pictures):
    picture = images.load_image(pictures / "cat.png")
    assert encode_png(picture, read_metadata(pictures / "cat.png")) == encode_png(picture)


def test_the_same_painting_is_the_same_file(photo):
    picture = images.load_image(photo)
    assert encode_png(picture, read_metadata(photo)) == encode_png(picture, read_metadata(photo))


@pytest.mark.parametrize("cut", [30, 60, 100])
def test_damaged_metadata_is_no_reason_to_refuse_a_photo(photo, cut):
    data = bytearray(photo.read_bytes())
    start = data.index(b"Exif\0\0") + cut
    data[start : start + 20] = b"\xff" * 20
    assert isinstance(read_metadata(io.BytesIO(data)).exif, bytes)


def test_what_is_no_photo_has_none():
    assert read_metadata(io.BytesIO(b"text")) == read_metadata("missing.jpg")
