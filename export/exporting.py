"""Model in, verified bundle out: every artifact goes through the same export, parity, manifest and report."""

import datetime
import importlib.metadata
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from export import bundle as bundles
from export import parity, report, saved_model, tflite
from export.artifact import Artifact, ExportOptions, Progress
from export.sources import Source
from toolkit import manifest as manifests
from toolkit import presets
from toolkit.errors import InputError, WorkError, first_of
from toolkit.manifest import Manifest
from toolkit.stylizer import Stylizer

EXPORTERS = {"saved_model": saved_model, "tflite": tflite}
REFERENCE = "source/stylizer.keras"
TOOLS = ("styleport", "tensorflow", "keras", "numpy", "ai-edge-litert", "litert-quantizer", "scikit-image", "pillow")


def toolchain() -> dict[str, str]:
    """Returns the versions of what exports and verifies, and of the platform."""
    versions = {name: importlib.metadata.version(name) for name in TOOLS}
    return {**versions, "python": platform.python_version(), "platform": platform.platform(terse=True)}


def _created() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        seconds = float(epoch) if epoch else time.time()
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"SOURCE_DATE_EPOCH is {epoch!r}: give seconds since 1970, or leave it unset") from error
    return moment.isoformat(timespec="seconds")


def _measure(
    stylizer: Stylizer, bundle: Path, options: ExportOptions, progress: Progress
) -> dict[Artifact, parity.Parity]:
    reference = parity.Reference(stylizer)
    measured = {}
    for name in dict.fromkeys(options.formats):
        exporter = EXPORTERS[name]
        for artifact in exporter.export(stylizer, bundle, options, progress):
            progress(f"verifying {artifact.path}")
            measured[artifact] = measure(artifact, bundle, reference)
    return measured


def measure(artifact: Artifact, bundle: Path, reference: parity.Reference) -> parity.Parity:
    """Holds one artifact's files against the reference.

    Args:
        artifact: what to load.
        bundle: the bundle's folder.
        reference: the float32 Keras model's pictures.

    Returns:
        Figures and verdict.
    """
    exporter = EXPORTERS[artifact.format]
    runner = exporter.load(manifests.resolve(bundle, artifact.path))
    measurements = parity.measure(runner, reference, parity.sizes_of(artifact))
    return parity.judge(measurements, parity.gate_of(artifact))


def _failures(measured: dict[Artifact, parity.Parity]) -> list[str]:
    return [f"{artifact.path}: {line}" for artifact, result in measured.items() for line in result.failures]


def _artifact_record(artifact: Artifact, result: parity.Parity, bundle: Path) -> dict[str, Any]:
    files = bundles.records(bundle, artifact.path)
    return {
        "path": artifact.path,
        "format": artifact.format,
        "quantization": artifact.quantization,
        "size": artifact.size,
        "bytes": sum(file["bytes"] for file in files),
        "sha256": bundles.digest(files),
        "files": files,
        "signatures": EXPORTERS[artifact.format].signatures(bundle / artifact.path),
        **result.to_json(),
    }


def export_bundle(
    stylizer: Stylizer,
    target: str | Path,
    source: Source,
    options: ExportOptions | None = None,
    force: bool = False,
    progress: Progress = lambda step: None,
) -> Manifest:
    """Exports a model in every form asked for, verifies each, and writes the bundle whole or not at all.

    Args:
        stylizer: the model, in float32.
        target: where the bundle is to be.
        source: what the manifest says of the model's origin, as `export.sources.open_source` gives it.
        options: what to export; everything by default.
        force: an older bundle at the target is replaced.
        progress: told what is being made.

    Returns:
        The bundle's manifest.

    Raises:
        InputError: the target may not be written, or an option is out of range.
        WorkError: an artifact missed its gate (it is kept aside as `<target>.failed`), or the disk is full.
    """
    target, options = Path(target), options or ExportOptions()
    with bundles.staged(target, force) as staging:
        try:
            return _fill(staging, target, stylizer, source, options, progress)
        except tf.errors.OpError as error:
            raise WorkError(f"{target}: could not be exported: {error.message.splitlines()[0]}") from error


def _fill(
    staging: Path,
    target: Path,
    stylizer: Stylizer,
    source: Source,
    options: ExportOptions,
    progress: Progress,
) -> Manifest:
    manifest: Manifest = {
        "schema_version": manifests.SCHEMA_VERSION,
        "created": _created(),
        "source": {**source, "reference": REFERENCE},
        "toolchain": toolchain(),
        "options": {"max_size": options.max_size, "integer_io": options.integer_io},
    }
    reference = staging / REFERENCE
    reference.parent.mkdir()
    stylizer.save(reference)
    measured = _measure(stylizer, staging, options, progress)
    progress("writing the report")
    artifacts = [_artifact_record(artifact, result, staging) for artifact, result in measured.items()]
    report.write(staging, manifest, measured, {record["path"]: record["bytes"] for record in artifacts})
    if failures := _failures(measured):
        kept = bundles.set_aside(staging, target, failures)
        told = first_of(failures)
        raise WorkError(f"parity gate missed: {told}; no bundle was written, what failed is in {kept}")
    known = {file["path"] for record in artifacts for file in record["files"]}
    manifest |= {
        "artifacts": artifacts,
        "files": [file for file in bundles.records(staging) if file["path"] not in known],
        "verdict": "pass",
    }
    bundles.write_manifest(staging, manifest)
    return manifest


@dataclass(frozen=True)
class Verification:
    """What verifying a bundle found.

    Attributes:
        manifest: as it stands in the bundle.
        measured: the parity of each artifact, measured anew from the files.
        failures: one line for each figure out of bounds.
    """

    manifest: Manifest
    measured: dict[Artifact, parity.Parity]
    failures: list[str]


def _load_reference(bundle: Path, manifest: Manifest) -> Stylizer:
    path = manifests.resolve(bundle, manifest["source"]["reference"])
    stylizer = Stylizer.from_file(path)
    source = manifest["source"]
    if source["kind"] == "preset" and source["name"] in presets.names():
        _check_against_preset(path, stylizer, source)
    return stylizer


def _check_against_preset(path: Path, stylizer: Stylizer, source: Source) -> None:
    if source.get("sha256") != presets.provenance(source["name"])["sha256"]:
        raise InputError(f"{path}: its manifest names another release of the preset {source['name']!r}")
    expected = Stylizer.from_preset(source["name"]).get_weights()
    actual = stylizer.get_weights()
    if len(actual) != len(expected) or not all(map(np.array_equal, actual, expected)):
        raise InputError(f"{path}: its weights are not those of the preset {source['name']!r}")


def verify_bundle(bundle: str | Path, progress: Progress = lambda step: None) -> Verification:
    """Recomputes every hash and every parity figure of a bundle from its files.

    Args:
        bundle: the bundle's folder.
        progress: told what is being verified.

    Returns:
        The figures and the gates they miss.

    Raises:
        InputError: the folder is no bundle, or a file in it is changed, missing or added.
    """
    bundle = Path(bundle)
    manifest = manifests.read(bundle)
    bundles.validate(manifest)
    problems = bundles.check_files(bundle, manifest)
    if problems:
        raise InputError(first_of(problems))
    reference = parity.Reference(_load_reference(bundle, manifest))
    measured = {}
    for record in manifest["artifacts"]:
        artifact = Artifact(record["path"], record["format"], record["quantization"], record["size"])
        progress(f"verifying {artifact.path}")
        measured[artifact] = measure(artifact, bundle, reference)
    return Verification(manifest, measured, _failures(measured))
