"""What an exporter makes: one way of running the model, in one folder of the bundle."""

from collections.abc import Callable
from dataclasses import dataclass

from toolkit.errors import InputError

FORMATS = ("saved_model", "tflite")
QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")
# The side of the content picture that Magenta's own TFLite files take.
DEFAULT_SIZE = 384
MIN_SIDE = 16
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
    """

    path: str
    format: str
    quantization: str
    size: int | None


@dataclass(frozen=True)
class ExportOptions:
    """What to export.

    Attributes:
        formats: some of `FORMATS`.
        quantizations: some of `QUANTIZATIONS`, for TFLite.
        sizes: for TFLite, sides of fixed-size content pictures in pixels; None stands for any size.
        max_size: the SavedModel's `image_bytes` signature bounds the longer side of pictures to this.
        integer_io: int8 TFLite takes and gives pictures as uint8 instead of float32.
    """

    formats: tuple[str, ...] = FORMATS
    quantizations: tuple[str, ...] = QUANTIZATIONS
    sizes: tuple[int | None, ...] = (DEFAULT_SIZE, None)
    max_size: int = 1024
    integer_io: bool = False

    def __post_init__(self) -> None:
        """Refuses what no exporter can do."""
        for name, given, known in (
            ("format", self.formats, FORMATS),
            ("quantization", self.quantizations, QUANTIZATIONS),
        ):
            unknown = [value for value in given if value not in known]
            if unknown or not given:
                raise InputError(f"unknown {name} {', '.join(unknown)!r}: choose from {', '.join(known)}")
        for size in (*self.sizes, self.max_size):
            if size is not None and not MIN_SIDE <= size <= MAX_SIDE:
                raise InputError(f"size {size} is out of range: give {MIN_SIDE} to {MAX_SIDE} pixels, or any")

    def artifacts(self) -> list[Artifact]:
        """Returns what these options ask for, each once, in the order it is exported."""
        found = [Artifact("saved_model", "saved_model", "float32", None)] if "saved_model" in self.formats else []
        if "tflite" in self.formats:
            found += [
                Artifact(f"tflite/{quantization}_{size or 'any'}", "tflite", quantization, size)
                for size in self.sizes
                for quantization in self.quantizations
            ]
        return list(dict.fromkeys(found))
