"""Reads a bundle's manifest: finds artifacts by name and checks their files."""

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Final

from toolkit.errors import InputError, as_input_error
from toolkit.files import strict_json
from toolkit.files.opening import open_file, read_bounded
from toolkit.manifest_types import ArtifactRecord, FileRecord, Manifest

MANIFEST_FILE = "manifest.json"
# In the folders of artifacts for devices: see `export.parity.golden_vectors`.
GOLDEN_HEADER, GOLDEN_VALUES, GOLDEN_ARRAYS = "golden.json", "golden.bin", "golden.npz"
SCHEMA_VERSION: Final = 1
# The method of external models with a built-in style.
SINGLE_STYLE: Final = "single-style"
# A manifest has tens of kilobytes; much larger files are refused.
MAX_MANIFEST_BYTES = 4 << 20


def is_bundle(path: Path) -> bool:
    """Returns whether a folder looks like a bundle: it has a manifest."""
    return os.path.isfile(path / MANIFEST_FILE)  # noqa: PTH113 unlike Path's, it accepts invalid paths


def read(bundle: Path) -> Manifest:
    """Reads a bundle's manifest; refuses other files and unknown schema versions."""
    path = bundle / MANIFEST_FILE
    try:
        content = read_bounded(path, MAX_MANIFEST_BYTES, "a manifest")
    except OSError as error:
        if not os.path.exists(bundle):  # noqa: PTH110 unlike Path's, it accepts invalid paths
            raise InputError(f"{bundle}: not a bundle (no such folder); styleport export makes one") from error
        raise InputError(
            f"{bundle}: not a bundle ({error.strerror}: {MANIFEST_FILE}); give the folder of one"
        ) from error
    with as_input_error(f"{path}: not a manifest"):
        manifest = strict_json.parse(content)
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema version {version} is newer than {SCHEMA_VERSION}, the last known here: upgrade styleport"
        )
    if version != SCHEMA_VERSION or not isinstance(manifest.get("artifacts"), list):
        raise InputError(f"{path}: not a manifest of schema version {SCHEMA_VERSION}")
    return manifest


def artifact(manifest: Manifest, name: str) -> ArtifactRecord:
    """Returns the record of an artifact such as `saved_model` or `tflite/float16_384`.

    Raises:
        InputError: the bundle has no such artifact.
    """
    records = artifacts(manifest)
    if name not in records:
        raise InputError(f"no artifact {name!r} in the bundle: choose from {', '.join(records)}")
    return records[name]


def artifacts(manifest: Manifest) -> dict[str, ArtifactRecord]:
    """Returns the records of the artifacts by path; ignores malformed records."""
    records = manifest["artifacts"]
    return {
        record["path"]: record for record in records if isinstance(record, dict) and isinstance(record.get("path"), str)
    }


def method(manifest: Manifest) -> str | None:
    """Returns the style transfer method of a bundle's model; None if the manifest does not have it."""
    source = manifest.get("source")
    return source.get("method") if isinstance(source, dict) else None


def resolve(bundle: Path, relative: str) -> Path:
    """Joins a path from a manifest to the bundle; refuses a path that leaves it or passes through a symbolic link."""
    parts = PurePosixPath(relative).parts
    if not parts or relative.startswith("/") or ".." in parts or "\\" in relative or "\0" in relative:
        raise InputError(f"{bundle}: the manifest names {relative!r}, which is not a path inside the bundle")
    path = bundle
    for part in parts:
        path /= part
        if _is_link(path):
            raise InputError(f"{path}: a symbolic link, which a bundle does not have")
    return path


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError as error:  # a name that is too long
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes as hexadecimal digits."""
    digest = hashlib.sha256()
    with open_file(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def model_bytes(files: list[FileRecord]) -> int:
    """Returns the size of an artifact in bytes: of all its files but the golden vectors."""
    golden = (GOLDEN_HEADER, GOLDEN_VALUES, GOLDEN_ARRAYS)
    return sum(file["bytes"] for file in files if PurePosixPath(file["path"]).name not in golden)


def check_file(bundle: Path, record: FileRecord) -> None:
    """Refuses a file that is missing or differs from the `bytes` and `sha256` of its record."""
    path = resolve(bundle, record["path"])
    try:
        if not path.is_file():
            raise InputError(f"{path}: missing from the bundle")
        size = path.stat().st_size
        if size != record["bytes"]:
            raise InputError(f"{path}: changed: {size} bytes, not {record['bytes']}")
        actual = sha256(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if actual != record["sha256"]:
        raise InputError(f"{path}: changed: its sha256 is {actual}, not {record['sha256']}")


def open_artifact(bundle: Path, name: str, manifest: Manifest | None = None) -> Path:
    """Finds an artifact's folder; refuses it if a file is missing, changed or added."""
    record = artifact(manifest or read(bundle), name)
    with as_input_error(f"{bundle}: the manifest's record of {name!r} is incomplete"):
        for file in record["files"]:
            check_file(bundle, file)
        known = {resolve(bundle, file["path"]) for file in record["files"]}
    folder = resolve(bundle, name)
    if not folder.is_dir():
        raise InputError(f"{folder}: missing from the bundle")
    added = sorted(path for path in folder.rglob("*") if path not in known and not path.is_dir())
    if added:
        raise InputError(f"{added[0]}: added: not in the manifest")
    return folder
