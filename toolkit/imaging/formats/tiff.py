"""TIFF files that Pillow reads wrongly: recognized by their tags, and corrected or refused.

Section numbers are those of the TIFF 6.0 specification (Adobe, 1992).
"""

import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import TiffImagePlugin

_PHOTOMETRICS = {
    0: "min-is-white gray",
    1: "gray",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "CMYK",
    6: "YCbCr",
    8: "Lab",
    9: "ICC Lab",
    32803: "camera raw",
}
_SAMPLE_FORMATS = {1: "unsigned integer", 2: "signed integer", 3: "float", 4: "untyped"}
_RAW, _YCBCR = 1, 6
# Pillow reads the planes of these correctly.
_PLANAR = (2, 5)


@dataclass(frozen=True)
class Layout:
    """The layout of a TIFF's samples.

    Attributes:
        photometric: the color interpretation (section 3 and later ones).
        bits: per sample.
        samples: per pixel.
        sample_format: 1 unsigned, 2 signed, 3 float (section 19).
        planar: each channel is stored separately.
        compressed: by any scheme.
        big_endian: the byte order.
    """

    photometric: int
    bits: int
    samples: int
    sample_format: int
    planar: bool
    compressed: bool
    big_endian: bool

    @classmethod
    def of(cls, tags: Any) -> "Layout":
        """Reads the layout from Pillow's tags of a file."""

        def first(tag: int, default: int) -> int:
            value = tags.get(tag, default)
            return int(value[0] if isinstance(value, tuple) else value)

        formats = tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))
        return cls(
            first(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 0),
            first(TiffImagePlugin.BITSPERSAMPLE, 1),
            first(TiffImagePlugin.SAMPLESPERPIXEL, 1),
            max(int(sample_format) for sample_format in (formats if isinstance(formats, tuple) else (formats,))),
            first(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 2,
            first(TiffImagePlugin.COMPRESSION, _RAW) != _RAW,
            tags.prefix == TiffImagePlugin.MM,
        )

    def __str__(self) -> str:
        """Describes the layout for messages."""
        kind = _SAMPLE_FORMATS.get(self.sample_format, "odd")
        photometric = _PHOTOMETRICS.get(self.photometric, f"photometric {self.photometric}")
        order = "planar" if self.planar and self.samples > 1 else "interleaved"
        per_pixel = f"{self.samples} {order} samples" if self.samples > 1 else "one sample"
        stored = "compressed" if self.compressed else "uncompressed"
        return f"{photometric}, {per_pixel} a pixel, {kind} of {self.bits} bits, {stored}"

    @property
    def is_min_white(self) -> bool:
        """Whether 0 is white (section 4), which Pillow heeds up to 8 bits only."""
        return self.photometric == 0

    @property
    def white(self) -> int:
        """The largest sample of integers, which Pillow leaves as they are stored."""
        return 2**self.bits - 1

    def why_not(self) -> str | None:
        """Returns why a file that Pillow would read wrongly is refused; None where Pillow reads it correctly."""
        is_float = self.sample_format == 3
        if self.sample_format == 2:
            return "its samples are signed, and their white level cannot be determined"
        if self.bits == 32 and not is_float:
            return "its samples are integers of 32 bits, and their white level cannot be determined"
        if is_float and self.big_endian and self.compressed:
            return "its floats are big-endian and compressed"
        if self.photometric == _YCBCR and not self.compressed:
            return "it is YCbCr without compression"
        if self.planar and self.samples > 1:
            if self.photometric not in _PLANAR:
                return "its channels are stored in planes, and it is neither RGB nor CMYK"
            if self.bits > 8 and not self.compressed:
                return f"its {self.bits}-bit channels are stored in planes, without compression"
        return None


def read_layout(stream: BinaryIO) -> Layout | None:
    """Reads the layout of a TIFF that Pillow does not open; None for other files and damaged tags."""
    try:
        stream.seek(0)
        header = stream.read(8)
        if 43 in header[2:4]:  # BigTIFF
            header += stream.read(8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        stream.seek(tags.next)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the error that follows says what is wrong
            tags.load(stream)
        return Layout.of(tags) if TiffImagePlugin.IMAGEWIDTH in tags else None
    except Exception:  # Pillow raises almost any exception on damaged tags
        return None
