"""The feed-forward stylizer as the exporting mechanism sees it: predictor and transformer (Ghiasi et al. 2017)."""

from collections.abc import Mapping
from pathlib import Path

from export import baked, parity, saved_model, tflite, web
from export.artifact import Artifact
from export.exportable import Exporter, Source
from export.gates import Pairs, Parity
from export.references import References
from toolkit.stylizer import Stylizer

METHOD = "feed-forward"
REFERENCE = "source/stylizer.keras"
EXPORTERS: dict[str, Exporter] = {"saved_model": saved_model, "tflite": tflite, "web": web, "baked": baked}


class FeedForward:
    """A stylizer to export; see `export.exportable.Exportable`.

    Args:
        stylizer: the model, in float32.
        source: what the manifest says of its origin.
    """

    reference = REFERENCE

    def __init__(self, stylizer: Stylizer, source: Source) -> None:
        self.model = stylizer
        self.source: Source = {"method": METHOD, **source}
        self.exporters: Mapping[str, Exporter] = EXPORTERS
        self._references = References(stylizer, stylizer)

    def save_reference(self, path: Path) -> None:
        """Writes the stylizer as a `.keras` file."""
        self.model.save(path)

    def measure_on(self, pairs: Pairs) -> None:
        """Measures on other pairs of pictures than the samples from here on.

        Args:
            pairs: contents and styles with their names, as `export.gates.Pairs` has them.
        """
        self._references = References(self.model, self.model, pairs)

    def measure(self, artifact: Artifact, folder: Path) -> Parity:
        """Holds an artifact's pictures against the stylizer's.

        Args:
            artifact: what to load.
            folder: its files.

        Returns:
            Figures and verdict.
        """
        runner = self.exporters[artifact.format].load(folder)
        return parity.hold(runner, artifact, self._references.of(artifact, folder))
