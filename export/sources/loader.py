"""Opens a model for export, with its origin for the manifest."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np

from export.bundle import folder as bundles
from export.exportable import Exportable
from export.sources import external
from export.sources.external import END_TO_END, SINGLE_STYLE
from export.sources.feed_forward import METHOD as FEED_FORWARD
from export.sources.feed_forward import ExportableStylizer
from export.sources.optimization import METHOD as OPTIMIZATION
from export.sources.optimization import Optimization
from toolkit import manifest as manifests
from toolkit import presets
from toolkit.errors import InputError
from toolkit.external.source_options import SourceOptions
from toolkit.feed_forward.stylizer import KerasStylizer
from toolkit.inference import model_loader
from toolkit.manifest_types import Manifest, SourceRecord
from toolkit.sources.model_source import resolve_source


def preset_source(name: str) -> SourceRecord:
    """Returns a preset's origin for the manifest: `kind`, `name`, `sha256`, `license` and `description`."""
    provenance = presets.provenance(name)
    return {
        "kind": "preset",
        "name": name,
        "sha256": provenance["sha256"],
        "license": provenance["license"],
        "description": provenance["description"],
    }


def open_source(model: str | Path, options: SourceOptions | None = None) -> Exportable:
    """Opens a model to export.

    Args:
        model: whatever `toolkit.inference.model_loader.open_model` takes; a bundle carries the model it was made from.
        options: options of an external model.

    Returns:
        The model, with its origin for the manifest.

    Raises:
        InputError: there is no such model, or it is damaged, or its roles cannot be determined.
        WorkError: an address cannot be reached.
    """
    resolved = resolve_source(model)
    if resolved.kind == "bundle":
        model_loader.refuse(resolved, options)
        return _from_bundle(Path(model))
    opened = model_loader.load(resolved, options)
    source = cast("SourceRecord", {"kind": resolved.kind, "name": resolved.name, **resolved.origin})
    if isinstance(opened, KerasStylizer):
        return ExportableStylizer(opened, preset_source(resolved.name) if resolved.kind == "preset" else source)
    return external.exportable(opened, source, resolved.path or Path(model))


open_optimization = Optimization.open


def _from_bundle(bundle: Path) -> Exportable:
    manifest = manifests.read(bundle)
    bundles.validate(manifest)
    reference = manifest["source"]["reference"]
    # A file, or the folder of a SavedModel.
    files = [file for file in manifest["files"] if f"{file['path']}/".startswith(f"{reference}/")]
    if not files:
        raise InputError(f"{bundle}: the manifest does not record {reference}")
    for file in files:
        manifests.check_file(bundle, file)
    return reopen(bundle, manifest)


def reopen(bundle: Path, manifest: Manifest) -> Exportable:
    """Reopens the float32 model that a bundle was made from; refuses one that is not the preset in the manifest."""
    path = manifests.resolve(bundle, manifest["source"]["reference"])
    source = cast("SourceRecord", {key: value for key, value in manifest["source"].items() if key != "reference"})
    return REOPENERS[source.get("method", FEED_FORWARD)](path, source)


def _reopen_feed_forward(path: Path, source: SourceRecord) -> Exportable:
    if "inputs" in source:
        return external.reopen(path, source)
    stylizer = KerasStylizer.from_file(path)
    if source["kind"] == "preset" and source["name"] in presets.names():
        _check_against_preset(path, stylizer, source)
    return ExportableStylizer(stylizer, source)


def _check_against_preset(path: Path, stylizer: KerasStylizer, source: SourceRecord) -> None:
    if source.get("sha256") != presets.provenance(source["name"])["sha256"]:
        raise InputError(f"{path}: its manifest names another release of the preset {source['name']!r}")
    expected = KerasStylizer.from_preset(source["name"]).get_weights()
    actual = stylizer.get_weights()
    if len(actual) != len(expected) or not all(map(np.array_equal, actual, expected)):
        raise InputError(f"{path}: its weights are not those of the preset {source['name']!r}")


REOPENERS: dict[str, Callable[[Path, SourceRecord], Exportable]] = {
    FEED_FORWARD: _reopen_feed_forward,
    END_TO_END: external.reopen,
    SINGLE_STYLE: external.reopen,
    OPTIMIZATION: Optimization.reopen,
}
