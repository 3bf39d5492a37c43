"""The interface of a model that can be exported, whatever its method."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from export.artifact import Artifact
from export.exporter import Exporter
from export.gates import EvalPairs, Parity
from toolkit.manifest_types import SourceRecord

# Of a picture: height and width in pixels.
Size = tuple[int, int]
# The sizes of the contents that an artifact is measured on.
Sizes = Callable[[Artifact], Sequence[Size]]


class SplitModel(Protocol):
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
        """The variables of both networks."""
        ...

    def bottleneck(self, style: Any) -> Any:
        """Returns the bottleneck of style pictures [B, h, w, 3]."""
        ...


class Exportable(Protocol):
    """A model on its way into a bundle, or read back from one.

    Attributes:
        model: the float32 model, which every artifact is checked against.
        source: where it comes from; `method` is one of `export.artifact.METHODS`.
        exporters: by format.
        reference: where a bundle keeps the float32 model, with forward slashes.
    """

    model: Any
    source: SourceRecord
    exporters: Mapping[str, type[Exporter]]
    reference: str

    def save_reference(self, path: Path) -> None:
        """Writes the float32 model."""
        ...

    def measure_on(self, pairs: EvalPairs) -> None:
        """Measures on other pairs of pictures than the samples from here on."""
        ...

    def sizes_of(self, artifact: Artifact) -> Sequence[Size]:
        """Returns the sizes of the contents that an artifact is measured on, unless others are asked for."""
        ...

    def measure(self, artifact: Artifact, folder: Path, sizes: Sequence[Size]) -> Parity:
        """Holds an artifact's files against the float32 model, on contents of these sizes."""
        ...
