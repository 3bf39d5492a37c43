"""Artifacts, each a folder of the bundle, and the options of an export."""

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

# In export order.
FORMATS: tuple[str, ...] = get_args(Format)
# A page needs npm, a single-style file needs a style, and ONNX an extra, so they are exported only on request.
DEFAULT_FORMATS = ("saved_model", "tflite")
_FORMATS_WITHOUT_BOTTLENECK = (*DEFAULT_FORMATS, "onnx")
# Formats with only one quantization, for pictures of any size.
FIXED_QUANTIZATION = {"saved_model": "float32", "web": "float16"}
# Formats for pictures of any size, with their quantizations.
ANY_SIZE = {"onnx": ("float32", "float16")}
QUANTIZATIONS: tuple[str, ...] = get_args(Quantization)
# The side of the content pictures of Magenta's own TFLite files.
DEFAULT_SIZE = 384
# A page chooses between transformers of these sides: LiteRT.js 2.5 cannot run a transformer of any size.
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
        style: the baked style; None if the style is an input.
    """

    path: str
    format: str
    quantization: str
    size: int | None
    style: "Style | None" = None

    @classmethod
    def from_record(cls, record: ArtifactRecord) -> "Artifact":
        """Creates an artifact from its record in a valid manifest."""
        from export.baked_style import Style

        style = Style.from_json(record["style"]) if "style" in record else None
        return cls(record["path"], record["format"], record["quantization"], record["size"], style)

    @property
    def label(self) -> str:
        """The path that its properties determine."""
        return _path(self.format, self.quantization, self.size, self.style)

    @property
    def kind(self) -> str:
        """The key of its gate: its format and, if there are several, its quantization."""
        return self.format if self.format == "saved_model" else f"{self.format}/{self.quantization}"


def _path(of_format: str, quantization: str, size: int | None, style: "Style | None" = None) -> str:
    if of_format in FIXED_QUANTIZATION:
        return of_format
    if of_format in ANY_SIZE:
        return f"{of_format}/{quantization}"
    folder = "tflite" if of_format == "baked" else of_format
    return f"{folder}/{f'baked_{style.slug}_' if style else ''}{quantization}_{size or 'any'}"


@dataclass(frozen=True)
class Method:
    """A style transfer method and its possible exports.

    Attributes:
        quantizations: quantizations of its TFLite and ONNX artifacts, in export order.
        sizes: default sizes of its TFLite artifacts; None stands for any size.
        min_side: smallest picture side, in pixels.
        formats: the supported `FORMATS`.
    """

    quantizations: tuple[str, ...]
    sizes: tuple[int | None, ...]
    min_side: int
    formats: tuple[str, ...] = _FORMATS_WITHOUT_BOTTLENECK


METHODS = {
    "feed-forward": Method(QUANTIZATIONS, (DEFAULT_SIZE, None), MIN_SIDE, FORMATS),
    "one-piece": Method(QUANTIZATIONS, (DEFAULT_SIZE, None), MIN_SIDE),
    "single-style": Method(QUANTIZATIONS, (DEFAULT_SIZE, None), MIN_SIDE),
    # Four halvings must leave pixels for block 5 of VGG19. Weights of 60 MB are exported for one size only.
    "optimization": Method(("float32", "float16", "dynamic"), (None,), 32),
}


@dataclass(frozen=True)
class Origin:
    """The description of the model for files outside their bundle.

    Attributes:
        name: name of the model.
        license: license of its weights.
    """

    name: str = "a stylizer"
    license: str = "that of the source"


@dataclass(frozen=True)
class ExportOptions:
    """The options of an export.

    Attributes:
        formats: formats of the method.
        quantizations: quantizations of the method, for TFLite and ONNX; None for all.
        sizes: for TFLite, sides of fixed-size content pictures in pixels, and None for any size; instead of a list,
            None stands for the method's default.
        max_size: bound of the `image_bytes` signature on the longer side of pictures.
        integer_io: int8 TFLite takes and returns pictures as uint8 instead of float32.
        method: one of `METHODS`; None for the method of the model.
        origin: description of the model for the metadata of TFLite files; a bundle's export takes it from the source.
        bakes: styles of the format `baked`, which has the quantizations and sizes of TFLite.
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
        """Refuses options that no exporter supports."""
        if self.method not in (None, *METHODS):
            raise InputError(f"unknown method {self.method!r}: choose from {', '.join(METHODS)}")
        method, (quantizations, sizes) = self._method, self._for_tflite()
        if self.bakes and self.method == "single-style":
            raise InputError("the model has a built-in style, and no other can be baked in")
        if self.bakes and "baked" not in method.formats:
            raise InputError(
                f"a model of the method {self.method} has no bottleneck for baking a style; if an external stylizer "
                "has a bottleneck, give --split-at"
            )
        for name, given, known in (
            ("format", self.formats, method.formats),
            ("quantization", quantizations, method.quantizations),
        ):
            unknown = [value for value in given if value not in known]
            if unknown or not given:
                raise InputError(f"unknown {name} {', '.join(unknown)!r}: choose from {', '.join(known)}")
        for name in {*self.formats} & {*ANY_SIZE}:
            if not {*quantizations} & {*ANY_SIZE[name]}:
                unable = ", ".join(quantizations)
                raise InputError(f"{name} has no quantization {unable!r}: choose from {', '.join(ANY_SIZE[name])}")
        if {"tflite", "baked"} & {*self.formats} and not sizes:
            raise InputError("no size is given for tflite: give pixels or any")
        self._check_styles()
        for size in (*sizes, self.max_size):
            if size is not None and not method.min_side <= size <= MAX_SIDE:
                raise InputError(f"size {size} is out of range: give {method.min_side} to {MAX_SIDE} pixels, or any")

    @property
    def _method(self) -> Method:
        """The method; while the model is unknown, the method with the most formats."""
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
        """Returns the requested artifacts, of one format or of all, without duplicates and in export order."""
        quantizations, sizes = self._for_tflite()
        found = []
        for name in FORMATS:
            if name not in self.formats or of_format not in (None, name):
                continue
            if name in FIXED_QUANTIZATION:
                found.append(Artifact(name, name, FIXED_QUANTIZATION[name], None))
                continue
            styles = self.bakes if name == "baked" else (None,)
            able = [mode for mode in quantizations if mode in ANY_SIZE.get(name, QUANTIZATIONS)]
            for style, size, quantization in itertools.product(styles, (None,) if name in ANY_SIZE else sizes, able):
                found.append(Artifact(_path(name, quantization, size, style), name, quantization, size, style))
        return list(dict.fromkeys(found))
