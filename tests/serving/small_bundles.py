"""Bundles of a few kilobytes that can be published in milliseconds; nothing in them can be loaded."""

import json
from pathlib import Path
from types import SimpleNamespace

from export.bundle import folder as bundles
from serving.versions import publishing
from toolkit import manifest as manifests

PICTURE = {"shape": [None, None, None, 3], "dtype": "float32"}
BYTES = {"shape": [None], "dtype": "string"}
SIGNATURES = {
    "serving_default": {"inputs": {"content_image": PICTURE, "style_image": PICTURE}, "outputs": {}},
    "image_bytes": {"inputs": {"content_image_bytes": BYTES, "style_image_bytes": BYTES}, "outputs": {}},
    "transform": {
        "inputs": {"content_image": PICTURE, "style_bottleneck": {"shape": [None, 1, 1, 100], "dtype": "float32"}},
        "outputs": {},
    },
}


def make(folder: Path, text: str = "weights") -> Path:
    """Writes the least that can be published, with files in folders and an empty one."""
    model = folder / "saved_model"
    for name in ("saved_model.pb", "fingerprint.pb", "variables/variables.index", "variables/variables.data", "empty"):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text("" if name == "empty" else f"{name} {text} " * 500)
    files = bundles.records(folder, "saved_model")
    record = {
        "path": "saved_model",
        "files": files,
        "bytes": sum(file["bytes"] for file in files),
        "sha256": bundles.digest(files),
        "signatures": SIGNATURES,
        "parity": {"max_abs": 0.0},
        "gate": {"max_abs": 1e-5},
        "verdict": "pass",
    }
    manifest = {
        "schema_version": 1,
        "created": "2026-01-01T00:00:00+00:00",
        "source": {"kind": "preset", "name": text, "reference": "source/stylizer.keras"},
        "toolchain": {"tensorflow": "2"},
        "artifacts": [record],
        "verdict": "pass",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def verified(bundle, progress, failures=()):
    """Stands for `verify_bundle`, which cannot run on these."""
    progress("verifying")
    return SimpleNamespace(manifest=manifests.read(bundle), measured={}, failures=list(failures))


def publish(bundle, base_path, version=None, **options):
    """Publishes without measuring."""
    return publishing.publish(bundle, base_path, version, [(32, 48)], verify=verified, **options)


def problems(version) -> list[str]:
    """Finds what is not as it was published."""
    if version.provenance is None:
        return [f"{version.folder}: no provenance, or half of it"]
    found = []
    for file in version.provenance["artifact"]["files"]:
        try:
            manifests.check_file(version.folder, file)
        except manifests.InputError as error:
            found.append(str(error))
    expected = {file["path"] for file in version.provenance["artifact"]["files"]}
    expected |= {"assets.extra/styleport.json", "assets.extra/tf_serving_warmup_requests"}
    actual = {path.relative_to(version.folder).as_posix() for path in version.folder.rglob("*") if path.is_file()}
    return found + [f"{version.folder}: {path}: missing or added" for path in sorted(actual ^ expected)]
