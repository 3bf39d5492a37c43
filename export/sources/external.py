"""Makes external stylizers exportable, with the loaded source as the reference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from export.artifact import ExportOptions
from export.exporter import Exporter
from export.formats.baked_tflite import BakedExporter
from export.formats.end_to_end_saved_model import EndToEndSavedModelExporter
from export.formats.end_to_end_tflite import EndToEndTFLiteExporter
from export.formats.feed_forward_saved_model import SavedModelExporter
from export.formats.feed_forward_tflite import SplitTFLiteExporter
from export.formats.onnx_exporter import EndToEndONNXExporter, ONNXExporter
from export.quantization import rules as policy
from export.rewrites import mirror_padding
from export.sources.feed_forward import METHOD as FEED_FORWARD
from export.sources.feed_forward import ExportableStylizer
from export.web.exporter import PageExporter
from toolkit import manifest as manifests
from toolkit.errors import InputError
from toolkit.external.end_to_end import ExternalSingleStyleStylizer, LoadedStylizer
from toolkit.external.source_options import NO_SPLIT, SourceOptions
from toolkit.external.splitting import SplitStylizer
from toolkit.framework import custom_objects, keras_file
from toolkit.inference import model_loader
from toolkit.manifest import SINGLE_STYLE
from toolkit.manifest_types import Method, RangeRecord, SourceRecord
from toolkit.safe_loading import graph_file
from toolkit.sources.model_source import ModelSource

END_TO_END: Method = "one-piece"
REFERENCES = {"keras": "source/model.keras", "saved_model": "source/saved_model", "hub": "source/saved_model"}


class ExternalSplitTFLiteExporter(SplitTFLiteExporter):
    """Exports a pair with unknown layers: its graph unchanged, with quantization rules derived from it."""

    def __init__(self, model: SplitStylizer, options: ExportOptions) -> None:
        super().__init__(SplitStylizer(model.end_to_end, mirror_padding.sliced(model.graph), model.tensor), options)

    def form(self) -> Callable[[Any, Any], Any]:
        """Returns the transformer unchanged."""
        return lambda content, bottleneck: self.model.transformer([content, bottleneck])

    def rules(self, model: bytes, network: str, mode: str) -> list[dict[str, Any]]:
        """Derives the rules from the graph; see `export.quantization.rules.rules`."""
        return policy.rules(model, mode, None if network == "predictor" else "content_image")


class ExternalSplitONNXExporter(ONNXExporter, ExternalSplitTFLiteExporter):
    """Exports such a pair as .onnx files."""


class ExternalBakedExporter(ExternalSplitTFLiteExporter, BakedExporter):
    """Exports the transformer of such a pair with a built-in style."""


class ExternalPageExporter(PageExporter):
    """Exports the page with such a pair."""

    split_exporter = ExternalSplitTFLiteExporter


_END_TO_END_EXPORTERS = (EndToEndSavedModelExporter, EndToEndTFLiteExporter, EndToEndONNXExporter)
EXPORTERS: dict[str, dict[str, type[Exporter]]] = {
    method: {exporter.format: exporter for exporter in exporters}
    for method, exporters in {
        FEED_FORWARD: (
            SavedModelExporter,
            ExternalSplitTFLiteExporter,
            ExternalSplitONNXExporter,
            ExternalPageExporter,
            ExternalBakedExporter,
        ),
        END_TO_END: _END_TO_END_EXPORTERS,
        SINGLE_STYLE: _END_TO_END_EXPORTERS,
    }.items()
}


def exportable(model: LoadedStylizer | SplitStylizer, source: SourceRecord, path: Path) -> ExportableStylizer:
    """Makes an external stylizer exportable, with its origin; the bundle keeps a copy of the path it came from."""
    end_to_end: LoadedStylizer = model.end_to_end if isinstance(model, SplitStylizer) else model
    method: Method = SINGLE_STYLE if isinstance(model, ExternalSingleStyleStylizer) else END_TO_END
    if isinstance(model, SplitStylizer):
        method = FEED_FORWARD
    ranges = {role: list(form.bounds) for role, form in end_to_end.formats.items()}
    recorded: SourceRecord = {
        "method": method,
        **source,
        "inputs": end_to_end.binding.to_json(),
        "range": cast("RangeRecord", ranges),
    }
    if isinstance(model, SplitStylizer):
        recorded["split_at"] = model.tensor
    if source["kind"] == "keras" and (modules := keras_file.custom_modules(path)):
        recorded["imports"] = modules
    return ExportableStylizer(model, recorded, EXPORTERS[method], REFERENCES[source["kind"]], path)


def reopen(path: Path, source: SourceRecord) -> ExportableStylizer:
    """Reads back an external stylizer from the copy in a bundle, with its origin in the manifest.

    Refuses a damaged file, another model, and custom classes that are not imported: the manifest names their module,
    which is never imported for that.
    """
    sha256 = manifests.sha256(path) if path.is_file() else graph_file.digest(path)
    if sha256 != source["sha256"]:
        raise InputError(
            f"{path}: not the model that the manifest names: its sha256 is {sha256}, not {source['sha256']}"
        )
    options = SourceOptions(source["inputs"], source.get("split_at", NO_SPLIT), cast("Any", source.get("range")))
    try:
        # Its range was checked during the export.
        model = model_loader.load(ModelSource(source["kind"], source["name"], path), options, is_tried=False)
    except InputError as error:
        if not (missing := custom_objects.not_imported(source.get("imports", ()))):
            raise
        named = " ".join(f"--import {module}" for module in missing)
        raise InputError(f"{path}: this bundle's model needs {named}") from error
    # Derived from the model, to be compared with the manifest.
    anew = ("method", "inputs", "range", "split_at", "imports")
    kept = {key: value for key, value in source.items() if key not in anew}
    return exportable(model, cast("SourceRecord", kept), path)
