"""Makes style transfer by optimization (Gatys et al. 2015) exportable."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from export.artifact import Artifact
from export.exportable import Size
from export.exporter import Exporter
from export.formats.onnx_exporter import FeaturesONNXExporter
from export.formats.optimization_saved_model import OptimizationSavedModelExporter
from export.formats.optimization_tflite import FeaturesExporter
from export.gates import EvalPairs, Parity, check_gate
from export.parity import golden_vectors, optimization
from export.parity.golden_vectors import GoldenVectors
from toolkit.commands.objective_options import NAMED_WEIGHTS
from toolkit.errors import InputError
from toolkit.manifest_types import Method, SettingsRecord, SourceRecord, Vgg19Weights
from toolkit.optimization.features.vgg19 import VGG19Features
from toolkit.optimization.lbfgs import LBFGS
from toolkit.optimization.problem import fingerprint
from toolkit.optimization.style_transfer import StyleTransfer
from toolkit.presets import vgg19 as preset

METHOD: Method = "optimization"
REFERENCE = "source/features.keras"
EXPORTERS: dict[str, type[Exporter]] = {
    exporter.format: exporter for exporter in (OptimizationSavedModelExporter, FeaturesExporter, FeaturesONNXExporter)
}
LICENSE = "CC-BY-4.0 (Visual Geometry Group, University of Oxford)"


class Optimization:
    """Style transfer by optimization to export; see `export.exportable.Exportable`.

    Args:
        transfer: compiled with L-BFGS, without Winograd's convolutions, which the artifacts do not have.
        source: its origin in the manifest.
    """

    reference = REFERENCE

    def __init__(self, transfer: StyleTransfer, source: SourceRecord) -> None:
        optimizer = transfer.optimizer
        if not isinstance(optimizer, LBFGS):
            raise InputError(f"the optimizer is {type(optimizer).__name__}: the export supports only lbfgs")
        self.model = transfer
        rates = {key: optimizer.get_config()[key] for key in ("learning_rate", "memory", "smoothing")}
        settings = {**transfer.objective.settings(), "pooling": transfer.features.pooling, **rates}
        self.source: SourceRecord = {"method": METHOD, **source, "settings": cast("SettingsRecord", settings)}
        self.exporters: Mapping[str, type[Exporter]] = EXPORTERS
        self._keras = optimization.ReferenceFeatures(transfer)

    @classmethod
    def open(cls, weights: str, learning_rate: float = 0.05, **options: Any) -> "Optimization":
        """Creates the model to export.

        Args:
            weights: see `toolkit.optimization.features.vgg19.VGG19Features`.
            learning_rate: learning rate of L-BFGS.
            options: layers, weights and pooling, see `toolkit.optimization.style_transfer.StyleTransfer`.

        Raises:
            InputError: an option is out of range, or the file does not contain VGG19 weights.
            WorkError: the download of the weights failed.
        """
        transfer = StyleTransfer(vgg_weights=weights, winograd=False, **options)
        transfer.compile("lbfgs", learning_rate)
        source: SourceRecord = {
            "kind": "vgg19",
            "name": "vgg19-style-transfer",
            "weights": cast("Vgg19Weights", weights if weights in NAMED_WEIGHTS else "file"),
            "fingerprint": fingerprint(transfer.features.get_weights()),
            "description": "Neural style transfer by optimization, on the features of VGG19.",
        }
        if weights == preset.NAME:
            source["sha256"] = preset.provenance()["sha256"]
        if weights in (preset.NAME, "imagenet"):
            source["license"] = LICENSE
        return cls(transfer, source)

    @classmethod
    def reopen(cls, path: Path, source: SourceRecord) -> "Optimization":
        """Reopens the model of a bundle from its extractor, a `.keras` file, and its origin in the manifest.

        Raises:
            InputError: the file is damaged or holds other weights, or a setting is out of range.
        """
        features = VGG19Features.from_file(path)
        if fingerprint(features.get_weights()) != source["fingerprint"]:
            raise InputError(f"{path}: its weights are not those of fingerprint {source['fingerprint']}")
        settings: dict[str, Any] = {**source["settings"]}
        settings.pop("pooling")  # the extractor has its own
        optimizer = LBFGS(**{key: settings.pop(key) for key in ("learning_rate", "memory", "smoothing")})
        transfer = StyleTransfer(features, winograd=False, **settings)
        transfer.compile(optimizer)
        return cls(transfer, source)

    def save_reference(self, path: Path) -> None:
        """Writes the extractor as a `.keras` file; everything else is in the manifest."""
        self.model.features.save(path)

    def measure_on(self, pairs: EvalPairs) -> None:
        """Always refuses: steps drift apart on pictures for which they were not chosen.

        Raises:
            InputError: always.
        """
        raise InputError("style transfer by optimization is measured on the samples only")

    def sizes_of(self, artifact: Artifact) -> list[Size]:
        """Returns the sizes of both pictures of a pair; see `export.parity.optimization.sizes_of`."""
        return optimization.sizes_of(artifact)

    def golden(self, artifact: Artifact, folder: Path) -> GoldenVectors | None:
        """Returns Keras's features of a picture; see `Exportable.golden`."""
        if artifact.format not in golden_vectors.FORMATS:
            return None
        signatures = self.exporters[artifact.format].signatures(folder)
        inputs = golden_vectors.pictures(signatures)
        return GoldenVectors.of(artifact, signatures, inputs, self._keras.features(inputs["image"]))

    def measure(self, artifact: Artifact, folder: Path, sizes: Sequence[Size]) -> Parity:
        """Compares an artifact's features and steps with Keras's, on pictures of the given heights and widths."""
        loaded = self.exporters[artifact.format].load(folder)
        if artifact.format == "saved_model":
            measurements = optimization.measure_steps(loaded, self._keras, sizes)
        else:
            measurements = optimization.measure_features(lambda image: loaded.run(image=image), self._keras, sizes)
        return check_gate(measurements, optimization.gate_of(artifact))
