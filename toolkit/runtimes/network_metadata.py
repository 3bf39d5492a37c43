"""The metadata in a .tflite or .onnx file, for people and programs that have only the file."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from toolkit.errors import as_input_error
from toolkit.files import strict_json
from toolkit.runtimes import onnx_file
from toolkit.runtimes.tflite_file import read_tflite

# The name of the entry in the file's metadata, which is a JSON object in UTF-8.
ENTRY = "styleport"
# Far more than the few hundred bytes that are written.
MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class NetworkMetadata:
    """The metadata of a network in a file.

    Attributes:
        name: the names of model, network and quantization.
        description: inputs and outputs, in a sentence.
        license: license of the weights.
        input_range: range of the samples in picture inputs.
        style: the built-in style; None where the style is an input.
    """

    name: str
    description: str
    license: str
    input_range: tuple[float, float]
    style: str | None = None

    def __str__(self) -> str:
        """Returns all but the description in one line."""
        low, high = self.input_range
        style = "" if self.style is None else f"; style {self.style}"
        return f"{self.name}; license {self.license}; samples in [{low:g}, {high:g}]{style}"

    def to_json(self) -> bytes:
        """Returns the entry's bytes; `from_json` reads them."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, entry: bytes) -> "NetworkMetadata":
        """Reads the entry's bytes, a JSON object in UTF-8; fields of later releases are ignored.

        Raises:
            ValueError: it is something else, or a field is missing or has a wrong type.
        """
        if len(entry) > MAX_BYTES:
            raise ValueError(f"{len(entry)} bytes, at most {MAX_BYTES} are read")
        try:
            record = strict_json.parse(entry)
            found = {field.name: record[field.name] for field in fields(cls)}
            low, high = map(float, found.pop("input_range"))
        except (LookupError, TypeError, OverflowError) as error:
            raise ValueError(f"not an object of styleport: {type(error).__name__} {error}") from error
        style = found["style"]
        if not all(isinstance(text, str) for text in ({**found, "style": style or ""}).values()):
            raise ValueError("a text field is not a string")
        return cls(**found, input_range=(low, high))


def read_metadata(path: str | Path) -> NetworkMetadata | None:
    """Reads the metadata of a .tflite or .onnx file, without a runtime; None where it has no entry of styleport.

    Raises:
        InputError: the file is missing or not such a model, or its metadata is damaged.
    """
    path = Path(path)
    entries = onnx_file.read_onnx(path).metadata if path.suffix == onnx_file.SUFFIX else read_tflite(path).metadata
    if ENTRY not in entries:
        return None
    with as_input_error(f"{path}: its metadata {ENTRY!r} cannot be read"):
        return NetworkMetadata.from_json(entries[ENTRY])
