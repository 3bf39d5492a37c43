"""The interface of a model that can be exported, whatever its method."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from export.artifact import Artifact
from export.exporter import Exporter
from export.gates import EvalPairs, Parity
from toolkit.manifest_types import SourceRecord

# Height and width of a picture, in pixels.
Size = tuple[int, int]
# The content sizes for measuring an artifact.
Sizes = Callable[[Artifact], Sequence[Size]]


class SplitModel(Protocol):
    """A stylizer with a predictor and a transformer, for the exporters of such pairs.

    Attributes:
        bottleneck_dim: length of the bottleneck.
        predictor: style tensor [B, h, w, 3] -> bottleneck [B, 1, 1, bottleneck_dim]; also in a graph.
        transformer: [content tensor [B, H, W, 3], bottleneck] -> picture [B, H, W, 3]; also in a graph.
        variables: Keras variables of both; none if they are constants.
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
        """The variables of both networks."""
        ...

    def bottleneck(self, style: Any) -> Any:
        """Returns the bottleneck of style pictures [B, h, w, 3]."""
        ...


class DeviceVectors(Protocol):
    """Inputs of an artifact's networks and the float32 model's outputs, for tests on devices."""

    def write(self, folder: Path) -> None:
        """Writes them beside the artifact's files."""
        ...

    def difference(self, folder: Path) -> str | None:
        """Returns in which way those in a folder are others; None if they are the same."""
        ...


class Exportable(Protocol):
    """A model on its way into a bundle, or read back from one.

    Attributes:
        model: the float32 model, which every artifact is checked against.
        source: its origin in the manifest; `method` is one of `export.artifact.METHODS`.
        exporters: by format.
        reference: path of the float32 model in a bundle, with forward slashes.
    """

    model: Any
    source: SourceRecord
    exporters: Mapping[str, type[Exporter]]
    reference: str

    def save_reference(self, path: Path) -> None:
        """Writes the float32 model."""
        ...

    def measure_on(self, pairs: EvalPairs) -> None:
        """Replaces the sample pairs for measurements."""
        ...

    def sizes_of(self, artifact: Artifact) -> Sequence[Size]:
        """Returns the default content sizes for measuring an artifact."""
        ...

    def golden(self, artifact: Artifact, folder: Path) -> DeviceVectors | None:
        """Returns what an artifact's networks should give, for tests on devices; None if they run on no device."""
        ...

    def measure(self, artifact: Artifact, folder: Path, sizes: Sequence[Size]) -> Parity:
        """Compares an artifact's files with the float32 model, on contents of these sizes."""
        ...
