"""Exports and verifies bundles: every artifact of every method has the same gates, manifest and report."""

import datetime
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import tensorflow as tf

from export.artifact import Artifact, ExportOptions, Origin, Progress
from export.bundle import claims, report
from export.bundle import folder as bundles
from export.bundle.signing import BundleSigner
from export.exportable import Exportable, Sizes
from export.gates import EvalPairs, Parity
from export.sources import loader
from export.sources.optimization import METHOD as OPTIMIZATION
from toolkit import manifest as manifests
from toolkit.errors import InputError, WorkError, first_of
from toolkit.files.names import check_utf8
from toolkit.manifest_types import ArtifactRecord, Manifest
from toolkit.process import memory

# The deepest layer of the network, for the memory estimate of an optimization step.
_DEEPEST_LAYER = "block5_conv4"
# Of formats that an extra brings.
_TOOLS_OF = {"onnx": ("tf2onnx", "onnx", "onnxruntime")}
TOOLS = ("styleport", "tensorflow", "keras", "numpy", "ai-edge-litert", "litert-quantizer", "scikit-image", "pillow")


def toolchain(formats: Iterable[str] = ()) -> dict[str, str]:
    """Returns the versions of the packages that export some formats, and of the platform."""
    names = (*TOOLS, *(name for of_format in formats for name in _TOOLS_OF.get(of_format, ())))
    versions = {name: importlib.metadata.version(name) for name in names}
    return {**versions, "python": platform.python_version(), "platform": platform.platform(terse=True)}


def _created() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        seconds = float(epoch) if epoch else time.time()
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"SOURCE_DATE_EPOCH is {epoch!r}: give seconds since 1970, or leave it unset") from error
    return moment.isoformat(timespec="seconds")


def _export_and_measure(
    exportable: Exportable, bundle: Path, options: ExportOptions, progress: Progress, sizes: Sizes
) -> dict[Artifact, Parity]:
    measured = {}
    for name in dict.fromkeys(options.formats):
        exporter = exportable.exporters[name](exportable.model, options)
        for artifact in exporter.export(bundle, progress):
            if vectors := exportable.golden(artifact, bundle / artifact.path):
                vectors.write(bundle / artifact.path)
            progress(f"verifying {artifact.path}")
            measured[artifact] = exportable.measure(artifact, bundle / artifact.path, sizes(artifact))
    return measured


def _failures(measured: dict[Artifact, Parity]) -> list[str]:
    return [f"{artifact.path}: {line}" for artifact, result in measured.items() for line in result.failures]


def _artifact_record(artifact: Artifact, result: Parity, exportable: Exportable, bundle: Path) -> ArtifactRecord:
    files = bundles.records(bundle, artifact.path)
    record = {
        "path": artifact.path,
        "format": artifact.format,
        "quantization": artifact.quantization,
        "size": artifact.size,
        **({"style": artifact.style.to_json()} if artifact.style else {}),
        "bytes": manifests.model_bytes(files),
        "sha256": bundles.digest(files),
        "files": files,
        "signatures": exportable.exporters[artifact.format].signatures(bundle / artifact.path),
        **result.to_json(),
    }
    return cast("ArtifactRecord", record)


def export_bundle(
    exportable: Exportable,
    target: str | Path,
    options: ExportOptions | None = None,
    force: bool = False,
    progress: Progress = lambda step: None,
    signer: BundleSigner | None = None,
    sizes: Sizes | None = None,
) -> Manifest:
    """Exports a model in every requested form, verifies each, and writes the bundle atomically.

    Args:
        exportable: the model, from `export.sources.loader.open_source`.
        target: the bundle's folder.
        options: what to export; everything by default.
        force: replace an older bundle at the target.
        progress: called with the current step.
        signer: signs the bundle; by default it is not signed.
        sizes: returns the heights and widths of the contents for measuring an artifact; by default those of its method
            and format. Pass the same to `verify_bundle`.

    Returns:
        The bundle's manifest.

    Raises:
        InputError: the target cannot be written, an option is out of range, or there is too little memory.
        WorkError: an artifact missed its gate (it is kept as `<target>.failed`), or the disk is full.
    """
    target, method = Path(target), exportable.source["method"]
    options = options or ExportOptions()
    if options.method not in (None, method):
        raise InputError(f"the model has the method {method}, and cannot be exported with the method {options.method}")
    sizes = sizes or exportable.sizes_of
    _check_memory(exportable, options, sizes)
    known = {key: exportable.source[key] for key in ("name", "license") if key in exportable.source}
    options = replace(options, method=method, origin=Origin(**known))
    with bundles.staged(target, force) as staging:
        try:
            manifest = _fill(staging, target, exportable, options, progress, sizes)
        except tf.errors.OpError as error:
            raise WorkError(f"{target}: could not be exported: {error.message.splitlines()[0]}") from error
        if signer:
            signer.sign(staging, target.name)
        return manifest


def _check_memory(exportable: Exportable, options: ExportOptions, sizes: Sizes) -> None:
    """Refuses sizes that need more than the free memory."""
    artifacts = options.artifacts()
    if exportable.source["method"] == OPTIMIZATION:
        for side in {artifact.size for artifact in artifacts if artifact.size}:
            memory.check(memory.estimate(side, side, _DEEPEST_LAYER, memory.PICTURES["adam"]))
    elif "inputs" not in exportable.source:  # the memory for an external model's layers is unknown
        sides = {artifact: max(map(max, sizes(artifact))) for artifact in artifacts}
        calibrated = [side for artifact, side in sides.items() if artifact.quantization == "int8"]
        memory.check(memory.exporting(list(sides.values()), calibrated))


def _fill(
    staging: Path, target: Path, exportable: Exportable, options: ExportOptions, progress: Progress, sizes: Sizes
) -> Manifest:
    created = _created()
    reference = staging / exportable.reference
    reference.parent.mkdir()
    exportable.save_reference(reference)
    measured = _export_and_measure(exportable, staging, options, progress, sizes)
    progress("writing the report")
    manifest: Manifest = {
        "schema_version": manifests.SCHEMA_VERSION,
        "created": created,
        "source": {**exportable.source, "reference": exportable.reference},
        "toolchain": toolchain(options.formats),
        "options": {"max_size": options.max_size, "integer_io": options.integer_io},
        "artifacts": [_artifact_record(artifact, result, exportable, staging) for artifact, result in measured.items()],
        "files": [],
        "verdict": "pass",
    }
    report.write(staging, manifest, measured)
    if failures := _failures(measured):
        kept = bundles.keep_failed(staging, target, failures)
        message = first_of(failures)
        raise WorkError(f"parity gate missed: {message}; no bundle was written, the failed export is in {kept}")
    known = {file["path"] for record in manifest["artifacts"] for file in record["files"]}
    manifest["files"] = [file for file in bundles.records(staging) if file["path"] not in known]
    bundles.write_manifest(staging, manifest)
    return manifest


def _false_golden(exportable: Exportable, artifact: Artifact, folder: Path) -> list[str]:
    """Returns a line if golden vectors in a folder are not those of the model; bundles of older releases have none."""
    vectors = exportable.golden(artifact, folder) if (folder / manifests.GOLDEN_HEADER).exists() else None
    different = vectors and vectors.difference(folder)
    return [f"{artifact.path}: its golden vectors are not those of the model: {different}"] if different else []


@dataclass(frozen=True)
class Verification:
    """The result of verifying a bundle.

    Attributes:
        manifest: the bundle's manifest.
        measured: the parity of each artifact, measured again from the files.
        failures: a line for each metric out of bounds.
    """

    manifest: Manifest
    measured: dict[Artifact, Parity]
    failures: list[str]


@dataclass(frozen=True)
class VerifyOptions:
    """Options of a verification: pictures, narrower gates and folders other than the defaults.

    Attributes:
        pairs: pictures for the measurements, instead of the samples.
        gates: narrower bounds by metric, by kind of artifact.
        folders: folders to measure from instead of the bundle's, by the artifact's path.
    """

    pairs: EvalPairs | None = None
    gates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    folders: Mapping[str, Path] = field(default_factory=dict)


def verify_bundle(
    bundle: str | Path,
    progress: Progress = lambda step: None,
    options: VerifyOptions | None = None,
    only: str | None = None,
    sizes: Sizes | None = None,
    manifest: Manifest | None = None,
) -> Verification:
    """Recomputes every hash and every parity metric of a bundle from its files.

    Args:
        bundle: the bundle's folder.
        progress: called with what is being verified.
        options: pictures, gates and folders other than the defaults.
        only: path of a single artifact to measure, such as `saved_model`; all by default. All hashes and the manifest's
            claims about the model are checked in any case.
        sizes: as for `export_bundle`, because recorded metrics depend on it.
        manifest: the bundle's manifest, if it was read already.

    Returns:
        The metrics and the failed gates.

    Raises:
        InputError: the folder is not a bundle, a file is changed, missing or added, the manifest has a false claim, or
            there is no such artifact.
    """
    bundle = Path(bundle)
    check_utf8(bundle)
    manifest = manifest or manifests.read(bundle)
    bundles.validate(manifest)
    records = manifest["artifacts"] if only is None else [manifests.artifact(manifest, only)]
    problems = bundles.check_files(bundle, manifest)
    if problems:
        raise InputError(first_of(problems))
    exportable, options, measured = loader.reopen(bundle, manifest), options or VerifyOptions(), {}
    false = claims.false_source(manifest["source"], exportable.source)
    if options.pairs is not None:
        exportable.measure_on(options.pairs)
    for record in records:
        artifact = Artifact.from_record(record)
        progress(f"verifying {artifact.path}")
        folder = options.folders.get(artifact.path) or manifests.resolve(bundle, artifact.path)
        result = exportable.measure(artifact, folder, (sizes or exportable.sizes_of)(artifact))
        signatures = exportable.exporters[artifact.format].signatures(folder)
        false += claims.false_claims(record, artifact, result, folder, signatures)
        false += _false_golden(exportable, artifact, folder)
        if options.pairs is None:
            false += claims.false_metrics(record, artifact, result)
        measured[artifact] = result.under(result.gate.narrowed(options.gates.get(artifact.kind, {})))
    failures = _failures(measured)
    if false and not failures:
        raise InputError(f"not verified: {first_of(false)}")
    return Verification(manifest, measured, failures)
