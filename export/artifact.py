"""Artifacts, which exporters write into a folder of the bundle each, and the options of an export."""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from toolkit.errors import InputError
from toolkit.imaging.formats.file_types import MIN_SIDE
from toolkit.manifest_types import ArtifactRecord, Format, Quantization

if TYPE_CHECKING:
    from export.baked_style import Style

# In the order they are exported.
FORMATS: tuple[str, ...] = get_args(Format)
# A page takes npm to make, and a single-style file takes a style, so they are made where they are asked for.
DEFAULT_FORMATS = ("saved_model", "tflite")
# Formats that come in one quantization alone, and for any size of picture.
FIXED_QUANTIZATION = {"saved_model": "float32", "web": "float16"}
QUANTIZATIONS: tuple[str, ...] = get_args(Quantization)
# The side of the content picture that Magenta's own TFLite files take.
DEFAULT_SIZE = 384
# A page chooses between transformers of these sides: LiteRT.js 2.5 computes nothing with one of any size.
PAGE_SIZES = (DEFAULT_SIZE, 768)
MAX_SIDE = 4096

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Artifact:
    """One exported form of the model.

    Attributes:
        path: its folder in the bundle, with forward slashes; also its name.
        format: one of `FORMATS`.
        quantization: one of `QUANTIZATIONS`.
        size: side of the content pictures it takes, in pixels; None for any height and width.
        style: what is baked into it; None where the style is an input.
    """

    path: str
    format: str
    quantization: str
    size: int | None
    style: "Style | None" = None

    @classmethod
    def from_record(cls, record: ArtifactRecord) -> "Artifact":
        """Reads what a manifest, valid by the schema, says of an artifact."""
        from export.baked_style import Style

        style = Style.from_json(record["style"]) if "style" in record else None
        return cls(record["path"], record["format"], record["quantization"], record["size"], style)

    @property
    def label(self) -> str:
        """The path that what is said of it makes."""
        return _path(self.format, self.quantization, self.size, self.style)

    @property
    def kind(self) -> str:
        """The key of its gate: its format and, where there are several, its quantization."""
        return self.format if self.format == "saved_model" else f"{self.format}/{self.quantization}"


def _path(of_format: str, quantization: str, size: int | None, style: "Style | None" = None) -> str:
    if of_format in FIXED_QUANTIZATION:
        return of_format
    folder = "tflite" if of_format == "baked" else of_format
    return f"{folder}/{f'baked_{style.slug}_' if style else ''}{quantization}_{size or 'any'}"


@dataclass(frozen=True)
class Method:
    """A way of transferring style, as far as what may be exported of it goes.

    Attributes:
        quantizations: those of its TFLite artifacts, in the order they are exported.
        sizes: of its TFLite artifacts, where none are asked for; None stands for any size.
        min_side: the smallest picture side it takes, in pixels.
        formats: some of `FORMATS`.
    """

    quantizations: tuple[str, ...]
    sizes: tuple[int | None, ...]
    min_side: int
    formats: tuple[str, ...] = DEFAULT_FORMATS


METHODS = {
    "feed-forward": Method(QUANTIZATIONS, (DEFAULT_SIZE, None), MIN_SIDE, FORMATS),
    "one-piece": Method(QUANTIZATIONS, (DEFAULT_SIZE, None), MIN_SIDE),
    "single-style": Method(QUANTIZATIONS, (DEFAULT_SIZE, None), MIN_SIDE),
    # Four halvings must leave block 5 of VGG19 something to look at. Weights of 60 MB are exported for one size.
    "optimization": Method(("float32", "float16", "dynamic"), (None,), 32),
}


@dataclass(frozen=True)
class Origin:
    """The description of the model in files that travel without their bundle.

    Attributes:
        name: the model's.
        licence: of its weights.
    """

    name: str = "a stylizer"
    licence: str = "that of the source"


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export.

    Attributes:
        formats: some of the method's.
        quantizations: some of the method's, for TFLite; None stands for all of them.
        sizes: for TFLite, sides of fixed-size content pictures in pixels, and None for any size; None in their
            place stands for the method's own.
        max_size: the SavedModel's `image_bytes` signature bounds the longer side of pictures to this.
        integer_io: int8 TFLite takes and gives pictures as uint8 instead of float32.
        method: one of `METHODS`; None for that of the model which is exported.
        origin: what the metadata of TFLite files says of the model; a bundle's export takes it from the source.
        bakes: the styles of the format `baked`, which has the quantizations and sizes of TFLite.
    """

    formats: tuple[str, ...] = DEFAULT_FORMATS
    quantizations: tuple[str, ...] | None = None
    sizes: tuple[int | None, ...] | None = None
    max_size: int = 1024
    integer_io: bool = False
    method: str | None = None
    origin: Origin = Origin()
    bakes: "tuple[Style, ...]" = ()

    def __post_init__(self) -> None:
        """Refuses what no exporter can do."""
        if self.method not in (None, *METHODS):
            raise InputError(f"unknown method {self.method!r}: choose from {', '.join(METHODS)}")
        method, (quantizations, sizes) = self._method, self._for_tflite()
        if self.bakes and self.method == "single-style":
            raise InputError("the model takes a content alone: its one style is inside, and no other can be baked in")
        if self.bakes and "baked" not in method.formats:
            raise InputError(
                f"a model of the method {self.method} has no bottleneck that a style could be baked into; where an "
                "external stylizer has one, --split-at names it"
            )
        for name, given, known in (
            ("format", self.formats, method.formats),
            ("quantization", quantizations, method.quantizations),
        ):
            unknown = [value for value in given if value not in known]
            if unknown or not given:
                raise InputError(f"unknown {name} {', '.join(unknown)!r}: choose from {', '.join(known)}")
        if {"tflite", "baked"} & {*self.formats} and not sizes:
            raise InputError("no size is given for tflite: give pixels, or any")
        self._check_styles()
        for size in (*sizes, self.max_size):
            if size is not None and not method.min_side <= size <= MAX_SIDE:
                raise InputError(f"size {size} is out of range: give {method.min_side} to {MAX_SIDE} pixels, or any")

    @property
    def _method(self) -> Method:
        """The method; as long as the model is not known, the method with the most formats."""
        return METHODS[self.method or "feed-forward"]

    def _check_styles(self) -> None:
        if bool(self.bakes) != ("baked" in self.formats):
            raise InputError("the format baked and styles to bake go together: give both (--bake STYLE), or neither")
        for slug, count in Counter(style.slug for style in self.bakes).items():
            if count > 1:
                named = "; ".join(str(style) for style in self.bakes if style.slug == slug)
                raise InputError(f"{count} styles to bake would be named {slug!r}: {named}: rename a file")

    def _for_tflite(self) -> tuple[tuple[str, ...], tuple[int | None, ...]]:
        method = self._method
        quantizations = method.quantizations if self.quantizations is None else self.quantizations
        return quantizations, method.sizes if self.sizes is None else self.sizes

    def artifacts(self, of_format: str | None = None) -> list[Artifact]:
        """Returns what these options ask for, each once, in the order it is exported.

        Args:
            of_format: one of `FORMATS`; all by default.

        Returns:
            The artifacts.
        """
        quantizations, sizes = self._for_tflite()
        found = []
        for name in FORMATS:
            if name not in self.formats or of_format not in (None, name):
                continue
            if name in FIXED_QUANTIZATION:
                found.append(Artifact(name, name, FIXED_QUANTIZATION[name], None))
                continue
            styles = self.bakes if name == "baked" else (None,)
            for style, size, quantization in itertools.product(styles, sizes, quantizations):
                found.append(Artifact(_path(name, quantization, size, style), name, quantization, size, style))
        return list(dict.fromkeys(found))
