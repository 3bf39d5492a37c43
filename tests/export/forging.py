"""Makes a damaged bundle consistent again, every hash as the manifest has it: what a broken exporter would write."""

import hashlib
import json
from pathlib import Path

from export.bundle import folder as bundles
from toolkit import manifest as manifests


def rehash(bundle: Path) -> None:
    """Records what is now in the bundle."""
    manifest = manifests.read(bundle)
    for record in manifest["artifacts"]:
        files = bundles.records(bundle, record["path"])
        record |= {"files": files, "bytes": manifests.model_bytes(files), "sha256": bundles.digest(files)}
    known = {file["path"] for record in manifest["artifacts"] for file in record["files"]}
    manifest["files"] = [file for file in bundles.records(bundle) if file["path"] not in known]
    write(bundle, manifest)


def write(bundle: Path, manifest: dict) -> None:
    """Writes a manifest, followed or not by its schema, and its digest."""
    text = json.dumps(manifest)
    (bundle / manifests.MANIFEST_FILE).write_text(text, encoding="utf-8")
    line = f"{hashlib.sha256(text.encode()).hexdigest()}  {manifests.MANIFEST_FILE}\n"
    (bundle / bundles.DIGEST_FILE).write_text(line, encoding="utf-8")
