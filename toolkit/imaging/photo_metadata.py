"""The metadata that a painting keeps from its photo: time, camera settings, and the presence of a color profile."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image, ImageCms

from toolkit.files.opening import open_file
from toolkit.imaging.decoding import opened

_BASE, _EXIF = ExifTags.Base, ExifTags.IFD.Exif
# An allowlist: GPS position, serial numbers of camera and lens, the owner's name, the maker's notes and the thumbnail,
# which shows the photo, are dropped. So is the orientation, which has been applied.
_KEPT = (_BASE.Make, _BASE.Model, _BASE.DateTime, _BASE.Artist, _BASE.Copyright, _BASE.ImageDescription)
_KEPT_OF_SHOT = (
    *(_BASE.DateTimeOriginal, _BASE.DateTimeDigitized),
    *(_BASE.OffsetTime, _BASE.OffsetTimeOriginal, _BASE.OffsetTimeDigitized),
    *(_BASE.SubsecTime, _BASE.SubsecTimeOriginal, _BASE.SubsecTimeDigitized),
    *(_BASE.LensMake, _BASE.LensModel, _BASE.FocalLength, _BASE.FocalLengthIn35mmFilm),
    *(_BASE.ExposureTime, _BASE.FNumber, _BASE.ISOSpeedRatings, _BASE.ExposureBiasValue),
)
# No camera writes longer texts.
_MAX_TEXT = 2000
# The creation time in a profile's header, set to zero so that the same painting gives the same file.
_CREATED = slice(24, 36)


@dataclass(frozen=True)
class PhotoMetadata:
    """The metadata that is kept from a photo: an EXIF block, and whether there is an ICC profile.

    The photo's colors are converted to sRGB on reading, so the painting gets the sRGB profile.
    """

    exif: bytes = b""
    has_profile: bool = False

    @property
    def icc_profile(self) -> bytes | None:
        """The painting's profile; None where the photo has none, because viewers then assume sRGB."""
        return _srgb() if self.has_profile else None


def read_metadata(source: str | Path | BinaryIO) -> PhotoMetadata:
    """Reads the metadata to keep; empty where it is damaged, which is no reason to refuse the photo."""
    try:
        if isinstance(source, str | Path):
            with open_file(source) as stream:
                return read_metadata(stream)
        with opened(source, "the photo") as image:
            return PhotoMetadata(_exif(image.getexif()), bool(image.info.get("icc_profile")))
    except Exception:  # Pillow raises almost any exception on damaged tags
        return PhotoMetadata()


def _exif(found: Image.Exif) -> bytes:
    kept = Image.Exif()
    kept.update(_sound(found, _KEPT))
    if shot := _sound(found.get_ifd(_EXIF), _KEPT_OF_SHOT):
        kept.get_ifd(_EXIF).update(shot)
    return kept.tobytes() if len(kept) or shot else b""


def _sound(tags: Any, names: tuple[int, ...]) -> dict[int, Any]:
    values = {int(name): tags.get(name) for name in names}
    return {name: value for name, value in values.items() if _is_sound(value)}


def _is_sound(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value.strip("\0 ")) <= _MAX_TEXT
    return isinstance(value, int | float) or hasattr(value, "numerator")


@functools.cache
def _srgb() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[_CREATED] = bytes(12)
    return bytes(profile)
