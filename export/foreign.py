"""Stylizers made elsewhere as the exporting mechanism sees them: held against the source itself, as it was loaded."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from export import baked, mirrors, parity, policy, saved_model, tflite, web
from export.artifact import Artifact, ExportOptions, Progress
from export.exportable import Exportable, Exporter, Source
from export.feed_forward import METHOD as FEED_FORWARD
from export.gates import Pairs, Parity
from export.one_piece import saved_model as whole_saved_model
from export.one_piece import tflite as whole_tflite
from export.references import OneStyleReferences, References
from toolkit import custom_objects, graph_file, keras_file, models
from toolkit import manifest as manifests
from toolkit.errors import InputError, told_in_one_line
from toolkit.locate import Located
from toolkit.manifest import SINGLE_STYLE
from toolkit.source_options import NO_SPLIT, SourceOptions
from toolkit.split import SplitStylizer
from toolkit.whole import LoadedStylizer, SingleStyleStylizer

ONE_PIECE = "one-piece"
REFERENCES = {"keras": "source/model.keras", "saved_model": "source/saved_model", "hub": "source/saved_model"}


def _as_it_is(transformer: Any) -> Callable[[Any, Any], Any]:
    return lambda content, bottleneck: transformer([content, bottleneck])


def _rules(model: bytes, network: str, mode: str) -> list[dict[str, Any]]:
    return policy.rules(model, mode, None if network == "predictor" else "content_image")


# Nothing is known of the networks' layers: no deployment form, and rules drawn from the graph.
_TREATMENT = tflite.Treatment(_as_it_is, _rules)


def _on_device(model: SplitStylizer) -> SplitStylizer:
    return SplitStylizer(model.whole, mirrors.sliced(model.graph), model.tensor)


def _export_pairs(model: SplitStylizer, bundle: Path, options: ExportOptions, progress: Progress) -> Iterator[Artifact]:
    return tflite.export(_on_device(model), bundle, options, progress, _TREATMENT)


def _export_baked(model: SplitStylizer, bundle: Path, options: ExportOptions, progress: Progress) -> Iterator[Artifact]:
    return baked.export(_on_device(model), bundle, options, progress, _TREATMENT)


_PAIRS = SimpleNamespace(export=_export_pairs, load=tflite.load, signatures=tflite.signatures)


def _export_page(model: SplitStylizer, bundle: Path, options: ExportOptions, progress: Progress) -> Iterator[Artifact]:
    return web.export(model, bundle, options, progress, _PAIRS)


_PAGE = SimpleNamespace(export=_export_page, load=web.load, signatures=web.signatures)
_BAKED = SimpleNamespace(export=_export_baked, load=baked.load, signatures=baked.signatures)
_IN_ONE_PIECE: dict[str, Exporter] = {"saved_model": whole_saved_model, "tflite": whole_tflite}
EXPORTERS: dict[str, dict[str, Exporter]] = {
    FEED_FORWARD: {"saved_model": saved_model, "tflite": _PAIRS, "web": _PAGE, "baked": _BAKED},
    ONE_PIECE: _IN_ONE_PIECE,
    SINGLE_STYLE: _IN_ONE_PIECE,
}


class Foreign:
    """A stylizer made elsewhere, to export; see `export.exportable.Exportable`.

    Args:
        model: the stylizer, in one piece, cut in two, or of one style.
        source: what the manifest says of its origin.
        path: the file or folder that it was loaded from; the bundle keeps a copy.
    """

    def __init__(self, model: LoadedStylizer | SplitStylizer, source: Source, path: Path) -> None:
        whole = model.whole if isinstance(model, SplitStylizer) else model
        method = _method(model)
        cut = {"split_at": model.tensor} if isinstance(model, SplitStylizer) else {}
        modules = keras_file.custom_modules(path) if source["kind"] == "keras" else []
        imports = {"imports": modules} if modules else {}
        self.model = model
        self.source: Source = {
            "method": method,
            **source,
            "inputs": whole.convention.to_json(),
            "range": {role: list(form.bounds) for role, form in whole.formats.items()},
            **cut,
            **imports,
        }
        self.exporters: Mapping[str, Exporter] = EXPORTERS[method]
        self.reference = REFERENCES[source["kind"]]
        self._path = path
        self._whole: Any = whole
        self._references = self._referred_to()

    def save_reference(self, path: Path) -> None:
        """Copies the source as it is."""
        if self._path.is_file():
            shutil.copyfile(self._path, path)
            return
        for file in graph_file.files(self._path):
            target = path / file.relative_to(self._path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)

    def measure_on(self, pairs: Pairs) -> None:
        """Measures on other pairs of pictures than the samples from here on.

        Args:
            pairs: contents and styles with their names, as `export.gates.Pairs` has them.
        """
        self._references = self._referred_to(pairs)

    def _referred_to(self, pairs: Pairs | None = None) -> References | OneStyleReferences:
        if isinstance(self.model, SingleStyleStylizer):
            return OneStyleReferences(self.model, self.source["name"], pairs)
        return References(self._whole, self.model, pairs)

    def measure(self, artifact: Artifact, folder: Path) -> Parity:
        """Holds an artifact's pictures against the source's.

        Args:
            artifact: what to load.
            folder: its files.

        Returns:
            Figures and verdict.
        """
        with told_in_one_line(f"{artifact.path} could not be run"):
            runner = self.exporters[artifact.format].load(folder)
            return parity.hold(runner, artifact, self._references.of(artifact, folder))


def _method(model: LoadedStylizer | SplitStylizer) -> str:
    if isinstance(model, SplitStylizer):
        return FEED_FORWARD
    return SINGLE_STYLE if isinstance(model, SingleStyleStylizer) else ONE_PIECE


def reopen(path: Path, source: Source) -> Exportable:
    """Reads back a stylizer made elsewhere from the copy in a bundle.

    Args:
        path: the copy.
        source: what the manifest says of it.

    Returns:
        The stylizer.

    Raises:
        InputError: it is damaged, or not the one that the manifest names, or it has classes of its own that nobody
            imported; the manifest says which module brings them, and is not obeyed.
    """
    sha256 = manifests.sha256(path) if path.is_file() else graph_file.digest(path)
    if sha256 != source["sha256"]:
        raise InputError(
            f"{path}: not the model that the manifest names: its sha256 is {sha256}, not {source['sha256']}"
        )
    options = SourceOptions(source["inputs"], source.get("split_at", NO_SPLIT), source.get("range"))
    try:
        # What it paints was looked at when it was exported.
        model = models.load(Located(source["kind"], source["name"], path), options, is_tried=False)
    except InputError as error:
        if not (missing := custom_objects.not_imported(source.get("imports", ()))):
            raise
        named = " ".join(f"--import {module}" for module in missing)
        raise InputError(f"{path}: this bundle's model needs {named}") from error
    told = ("method", "inputs", "range", "split_at", "imports")
    kept = {key: value for key, value in source.items() if key not in told}
    return Foreign(model, kept, path)
