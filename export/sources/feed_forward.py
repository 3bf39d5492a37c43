"""An embedded or external feed-forward stylizer to export (Ghiasi et al. 2017)."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.artifact import Artifact
from export.exportable import Size
from export.exporter import Exporter
from export.formats.baked_tflite import BakedExporter
from export.formats.feed_forward_saved_model import SavedModelExporter
from export.formats.feed_forward_tflite import SplitTFLiteExporter
from export.formats.onnx_exporter import SplitONNXExporter
from export.gates import EvalCase, EvalPairs, Parity
from export.parity import evaluation, golden_vectors
from export.parity.golden_vectors import GoldenVectors
from export.parity.reference_outputs import ArtifactReferences
from export.web.exporter import PageExporter
from toolkit.errors import in_one_line
from toolkit.manifest_types import Method, SourceRecord
from toolkit.safe_loading import graph_file

METHOD: Method = "feed-forward"
REFERENCE = "source/stylizer.keras"
EXPORTERS: dict[str, type[Exporter]] = {
    exporter.format: exporter
    for exporter in (SavedModelExporter, SplitTFLiteExporter, SplitONNXExporter, PageExporter, BakedExporter)
}


class ExportableStylizer:
    """A stylizer in float32 to export, whatever its form; see `export.exportable.Exportable`.

    The bundle keeps the file or folder of `path` unchanged; by default the model is saved as a `.keras` file.
    """

    def __init__(
        self,
        model: Any,
        source: SourceRecord,
        exporters: Mapping[str, type[Exporter]] = EXPORTERS,
        reference: str = REFERENCE,
        path: Path | None = None,
    ) -> None:
        self.model, self.exporters, self.reference = model, exporters, reference
        self.source: SourceRecord = {"method": METHOD, **source}
        self._path = path
        self._references = ArtifactReferences(model, source["name"])

    def save_reference(self, path: Path) -> None:
        """Saves the stylizer, or copies its source."""
        if self._path is None:
            self.model.save(path)
        elif self._path.is_file():
            shutil.copyfile(self._path, path)
        else:
            for file in graph_file.files(self._path):
                target = path / file.relative_to(self._path)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)

    def measure_on(self, pairs: EvalPairs) -> None:
        """Replaces the sample pairs for measurements."""
        self._references = ArtifactReferences(self.model, self.source["name"], pairs)

    def sizes_of(self, artifact: Artifact) -> list[Size]:
        """Returns the sizes of an artifact's gate; see `export.parity.evaluation.sizes_of`."""
        return evaluation.sizes_of(artifact)

    def golden(self, artifact: Artifact, folder: Path) -> GoldenVectors | None:
        """Returns the stylizer's bottleneck and picture of a content and a style; see `Exportable.golden`."""
        if artifact.format not in golden_vectors.FORMATS:
            return None
        signatures = self.exporters[artifact.format].signatures(folder)
        inputs = golden_vectors.pictures(signatures)
        content, style = inputs["content_image"], inputs.get("style_image")
        if "bottleneck" in signatures:
            code = np.asarray(self.model.bottleneck(style))
            outputs = {"style_bottleneck": code, "stylized_image": self.model.transform(content, code)}
        else:
            case = EvalCase("golden", content.shape[1:3], content, style)
            outputs = {"stylized_image": self._references.of(artifact, folder).picture(case)[None]}
        return GoldenVectors.of(artifact, signatures, inputs, outputs)

    def measure(self, artifact: Artifact, folder: Path, sizes: Sequence[Size]) -> Parity:
        """Compares an artifact's pictures with the stylizer's, on contents of the given heights and widths."""
        with in_one_line(f"{artifact.path} could not be run"):
            runner = self.exporters[artifact.format].load(folder)
            return evaluation.evaluate(runner, artifact, self._references.of(artifact, folder), sizes)
