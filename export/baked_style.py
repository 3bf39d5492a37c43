"""A style to bake into a transformer: a picture, or a weighted blend of several."""

import math
import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.files.names import readable
from toolkit.imaging import images
from toolkit.interface.sizes import STYLE_SIZE
from toolkit.manifest_types import StylePictureRecord, StyleRecord

# The slug names an artifact's folder, and file systems limit names to 255 bytes.
MAX_SLUG = 80
THUMBNAIL_SIDE = 128


@dataclass(frozen=True)
class StylePicture:
    """A picture and its share in a style.

    Attributes:
        name: name of its file, without the folder.
        sha256: hash of its file.
        share: in (0, 1]; the shares of a style sum to 1.
        pixels: as passed to the predictor, [256, 256, 3] float32 in [0, 1]; None if read from a bundle, which does not
            keep it.
    """

    name: str
    sha256: str
    share: float
    pixels: np.ndarray | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> StylePictureRecord:
        """Returns its record in the manifest."""
        return {"name": self.name, "sha256": self.sha256, "share": self.share}


@dataclass(frozen=True)
class Style:
    """A style to bake: pictures, their shares, and the strength.

    Attributes:
        slug: name of its artifacts: letters a to z, digits and hyphens.
        pictures: at least one.
        strength: in (0, 1]; below 1 the content's own bottleneck makes up the rest.
    """

    slug: str
    pictures: tuple[StylePicture, ...]
    strength: float = 1.0

    @classmethod
    def read(cls, text: str, strength: float = 1.0) -> "Style":
        """Reads the pictures of a style.

        Args:
            text: the path of a picture, or a blend such as `a.jpg:0.7,b.jpg:0.3`; the weights are divided by their sum.
            strength: in (0, 1]; below 1 the content's own bottleneck makes up the rest.

        Raises:
            InputError: a picture cannot be read, a weight is not a positive number, the strength is out of range, or no
                slug can be made from a file's name.
        """
        if not 0 < strength <= 1:
            raise InputError(f"the strength to bake is {strength:g}: give more than 0, and at most 1")
        weights = _parsed(text)
        total = math.fsum(weight for _, weight in weights)
        pictures = tuple(_picture(path, weight / total) for path, weight in weights)
        return cls(_slug(pictures), pictures, strength)

    @classmethod
    def from_json(cls, record: StyleRecord) -> "Style":
        """Creates a style from the result of `to_json`."""
        return cls(record["slug"], tuple(StylePicture(**picture) for picture in record["pictures"]), record["strength"])

    def to_json(self) -> StyleRecord:
        """Returns its record in the manifest."""
        return {
            "slug": self.slug,
            "strength": self.strength,
            "pictures": [picture.to_json() for picture in self.pictures],
        }

    def __str__(self) -> str:
        """Describes the pictures and the strength for people."""
        parts = [picture.name for picture in self.pictures]
        if len(parts) > 1:
            parts = [f"{picture.name} {100 * picture.share:.3g} %" for picture in self.pictures]
        return ", ".join(parts) + ("" if self.strength == 1 else f"; strength {self.strength:g}")

    def bottleneck(self, stylizer: Any) -> np.ndarray:
        """Returns the weighted mean of its pictures' bottlenecks, [1, 1, 1, D]."""
        read = [np.asarray(stylizer.bottleneck(_pixels(picture)[None])) for picture in self.pictures]
        return np.average(read, axis=0, weights=[picture.share for picture in self.pictures]).astype(np.float32)

    def thumbnail(self) -> np.ndarray:
        """Returns a square of the style, [128, 128, 3]; a blend shows a strip of each picture, as wide as its share."""
        ends = np.rint(np.cumsum([picture.share for picture in self.pictures]) * THUMBNAIL_SIDE).astype(int)
        small = [images.resize(_pixels(picture), THUMBNAIL_SIDE, THUMBNAIL_SIDE) for picture in self.pictures]
        return np.concatenate(
            [picture[:, start:end] for picture, start, end in zip(small, [0, *ends], ends, strict=False)], axis=1
        )


def style_paths(text: str) -> list[Path]:
    """Returns the paths of a style's pictures; see `Style.read`."""
    return [path for path, _ in _parsed(text)]


def _pixels(picture: StylePicture) -> np.ndarray:
    if picture.pixels is None:
        raise InputError(f"{picture.name}: a bundle does not keep its style pictures; give the picture itself")
    return picture.pixels


def _exists(path: str) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 unlike Path's, it accepts invalid paths


def _parsed(text: str) -> list[tuple[Path, float]]:
    """Returns paths with their weights; an existing file of the whole name takes precedence."""
    if "," not in text or _exists(text):
        path, colon, weight = text.rpartition(":")
        if colon and not _exists(text) and _exists(path):
            raise InputError(
                f"--bake {text!r}: one picture has no weight {weight!r}; for less of its style give --bake-strength"
            )
        return [(Path(text), 1.0)]
    return [_weighted(part.strip(), text) for part in text.split(",")]


def _weighted(part: str, text: str) -> tuple[Path, float]:
    path, _, given = part.rpartition(":")
    if not path:
        raise InputError(f"--bake {text!r}: {part!r} has no weight; write a blend as a.jpg:0.7,b.jpg:0.3")
    try:
        weight = float(given)
    except ValueError as error:
        raise InputError(f"--bake {text!r}: the weight {given!r} is not a number; write a.jpg:0.7,b.jpg:0.3") from error
    if not (weight > 0 and math.isfinite(weight)):
        raise InputError(f"--bake {text!r}: the weight {given} of {path} must be above 0; or leave it out")
    return Path(path), weight


def _picture(path: Path, share: float) -> StylePicture:
    pixels = images.center_crop_resize(path, STYLE_SIZE)
    return StylePicture(readable(path.name), manifests.sha256(path), share, pixels)


def _slug(pictures: tuple[StylePicture, ...]) -> str:
    parts = []
    for picture in pictures:
        ascii_only = unicodedata.normalize("NFKD", Path(picture.name).stem).encode("ascii", "ignore").decode()
        part = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower()).strip("-")
        if not part:
            raise InputError(
                f"--bake: the name {picture.name!r} cannot name an artifact: rename the file with letters a to "
                "z or digits"
            )
        parts.append(part if len(pictures) == 1 else f"{part}-{100 * picture.share:.0f}")
    return "-".join(parts)[:MAX_SLUG].rstrip("-")
