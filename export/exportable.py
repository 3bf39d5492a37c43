"""What the exporting mechanism asks of a model, whatever method it is for."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from export.artifact import Artifact, ExportOptions, Progress
from export.gates import Pairs, Parity

# What a manifest says of a model's origin, as its schema has it under `source`.
Source = dict[str, Any]


class Pair(Protocol):
    """A stylizer with a predictor and a transformer, as the exporters of such pairs need it.

    Attributes:
        bottleneck_dim: length of the bottleneck.
        predictor: style tensor [B, h, w, 3] -> bottleneck [B, 1, 1, bottleneck_dim]; in a graph, too.
        transformer: [content tensor [B, H, W, 3], bottleneck] -> picture [B, H, W, 3]; in a graph, too.
        variables: Keras variables that both use; none where they are constants.
    """

    bottleneck_dim: int

    @property
    def predictor(self) -> Any:
        """The style predictor."""
        ...

    @property
    def transformer(self) -> Any:
        """The style transformer."""
        ...

    @property
    def variables(self) -> Any:
        """What both use."""
        ...

    def bottleneck(self, style: Any) -> Any:
        """Returns the bottleneck of style pictures [B, h, w, 3]."""
        ...

    def __call__(self, content: Any, style: Any) -> Any:
        """Returns content pictures in the style of other pictures."""
        ...


class Exporter(Protocol):
    """Turns a model into the artifacts of one format; a module with these functions is one."""

    def export(self, model: Any, bundle: Path, options: ExportOptions, progress: Progress) -> Iterator[Artifact]:
        """Writes each artifact into the bundle's folder, and yields it once its files are written."""
        ...

    def load(self, folder: Path) -> Any:
        """Opens an artifact from its files, to be run as its users run it."""
        ...

    def signatures(self, folder: Path) -> dict[str, Any]:
        """Reads an artifact's signatures from its files, as the manifest records them."""
        ...


class Exportable(Protocol):
    """A model on its way into a bundle, or read back from one.

    Attributes:
        model: the float32 model, which every artifact is held against.
        source: where it comes from; `method` is one of `export.artifact.METHODS`.
        exporters: by format.
        reference: where a bundle keeps the float32 model, with forward slashes.
    """

    model: Any
    source: Source
    exporters: Mapping[str, Exporter]
    reference: str

    def save_reference(self, path: Path) -> None:
        """Writes the float32 model."""
        ...

    def measure_on(self, pairs: Pairs) -> None:
        """Measures on other pairs of pictures than the samples from here on."""
        ...

    def measure(self, artifact: Artifact, folder: Path) -> Parity:
        """Holds an artifact's files against the float32 model."""
        ...
