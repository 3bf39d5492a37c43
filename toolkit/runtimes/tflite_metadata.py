"""The metadata of a .tflite file, for people and programs that have nothing but the file."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from toolkit.errors import as_input_error
from toolkit.files import strict_json
from toolkit.runtimes.tflite_file import read_tflite

# Of the entry in the file's `metadata`; its buffer holds a JSON object in UTF-8.
ENTRY = "styleport"
# Some hundreds of bytes are written.
MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class NetworkMetadata:
    """The metadata of a network in a .tflite file.

    Attributes:
        name: the model's, the network's and the quantization's.
        description: what goes in and what comes out, in a sentence.
        licence: of the weights.
        input_range: what samples of its picture inputs lie between.
        style: the style that it paints in; None where that is an input.
    """

    name: str
    description: str
    licence: str
    input_range: tuple[float, float]
    style: str | None = None

    def __str__(self) -> str:
        """Returns all but the description in one line."""
        low, high = self.input_range
        style = "" if self.style is None else f"; style {self.style}"
        return f"{self.name}; license {self.licence}; samples in [{low:g}, {high:g}]{style}"

    def to_json(self) -> bytes:
        """Returns the entry's bytes; `from_json` reads them."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, entry: bytes) -> "NetworkMetadata":
        """Reads the entry's bytes; fields that a later release added are passed over.

        Args:
            entry: a JSON object in UTF-8.

        Raises:
            ValueError: it is something else, or a field is missing or of another type.
        """
        if len(entry) > MAX_BYTES:
            raise ValueError(f"{len(entry)} bytes, at most {MAX_BYTES} are read")
        try:
            record = strict_json.parse(entry)
            found = {field.name: record[field.name] for field in fields(cls)}
            low, high = map(float, found.pop("input_range"))
        except (LookupError, TypeError, OverflowError) as error:
            raise ValueError(f"not an object of ours: {type(error).__name__} {error}") from error
        style = found["style"]
        if not all(isinstance(text, str) for text in ({**found, "style": style or ""}).values()):
            raise ValueError("a text is none")
        return cls(**found, input_range=(low, high))


def read_metadata(path: str | Path) -> NetworkMetadata | None:
    """Reads what a .tflite file says of its network; no runtime is needed.

    Args:
        path: the file.

    Returns:
        The metadata; None where the file has none of ours.

    Raises:
        InputError: the file is missing or no TFLite model, or its metadata is damaged.
    """
    path = Path(path)
    entries = read_tflite(path).metadata
    if ENTRY not in entries:
        return None
    with as_input_error(f"{path}: its metadata {ENTRY!r} cannot be read"):
        return NetworkMetadata.from_json(entries[ENTRY])
