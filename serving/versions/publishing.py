"""Versions on disk: the numbered folders of a base path, which TensorFlow Serving loads when it finds them.

A server looks only for direct subfolders with numbers as names, so a version is created under another name, flushed to
the disk, and renamed once.
"""

import datetime
import errno
import json
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.artifact import Progress
from export.bundle import folder as bundles
from serving.config.base_path import model_name
from serving.config.version_policy import versions_on_disk
from serving.versions import warmup
from toolkit import manifest as manifests
from toolkit.errors import InputError, WorkError, first_of
from toolkit.files import output_paths, strict_json
from toolkit.files.atomic_write import sync
from toolkit.files.opening import read_bounded
from toolkit.manifest_types import ArtifactRecord, FileRecord, Manifest

if TYPE_CHECKING:
    from export.exporting import Verification

ARTIFACT = "saved_model"
# Beside the warmup requests: TensorFlow itself loads nothing from assets.extra.
PROVENANCE_FILE = "assets.extra/styleport.json"
MAX_PROVENANCE_BYTES = 4 << 20
MAX_VERSION = 2**63 - 1
WORK_PREFIX = ".styleport-"

Verify = Callable[[Path, Progress], "Verification"]


@dataclass(frozen=True)
class Version:
    """One version in a base path.

    Attributes:
        number: number on the server.
        folder: its folder.
        provenance: its record from `publish`; None for a version from elsewhere.
    """

    number: int
    folder: Path
    provenance: dict[str, Any] | None

    @property
    def bytes(self) -> int:
        """The size of its files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def provenance_value(self, *keys: str) -> str | None:
        """Returns a text field of the provenance, or None."""
        value: Any = self.provenance
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, str) else None


def find_versions(base_path: Path) -> list[Version]:
    """Lists the versions in a base path.

    Args:
        base_path: the server's `base_path`.

    Returns:
        The versions, oldest number first.

    Raises:
        InputError: the folder cannot be read.
    """
    found = sorted(version_folders(base_path).items())
    return [Version(number, folders[-1], _provenance(folders[-1])) for number, folders in found]


def version_folders(base_path: Path) -> dict[int, list[Path]]:
    """Returns the folders of the versions in a base path: one each, or both of 7 and 007, the served one last."""
    try:
        return versions_on_disk(str(base_path))
    except OSError as error:
        raise InputError(f"{base_path}: cannot be read: {error.strerror}; give the folder of the versions") from error


def version_numbers(base_path: Path) -> list[int]:
    """Returns the numbers of the versions in a base path, lowest first; raises as `version_folders` does."""
    return sorted(version_folders(base_path))


def version_folder(base_path: Path, version: int) -> Path | None:
    """Returns the folder of one version, or None; raises as `version_folders` does."""
    return version_folders(base_path).get(version, [None])[-1]


def _provenance(folder: Path) -> dict[str, Any] | None:
    path = folder / PROVENANCE_FILE
    try:
        found = strict_json.parse(read_bounded(path, MAX_PROVENANCE_BYTES, "a provenance"))
    except (OSError, ValueError):  # from elsewhere, or damaged: the version is still listed
        return None
    return found if isinstance(found, dict) else None


def _verify(bundle: Path, progress: Progress) -> "Verification":
    from export.exporting import verify_bundle

    return verify_bundle(bundle, progress, only=ARTIFACT)


def publish(
    bundle: Path,
    base_path: Path,
    version: int | None = None,
    warmup_sizes: Sequence[warmup.Size] = warmup.DEFAULT_SIZES,
    verify: Verify = _verify,
    progress: Progress = lambda step: None,
    mode: int | None = None,
) -> Version:
    """Verifies a bundle and puts its SavedModel into a base path as a new version, atomically.

    Args:
        bundle: the bundle's folder.
        base_path: the server's `base_path`, created if missing; its name is the model's.
        version: its number; by default the largest existing number plus 1.
        warmup_sizes: height and width, in pixels, of the pictures for the server's warmup.
        verify: recomputes the bundle's hashes and the metrics of the published artifact; by default
            `export.exporting.verify_bundle` of the SavedModel alone.
        progress: called with the current step.
        mode: permissions of the new folders, and without execute permissions of the files; by default the
            umask's.

    Returns:
        The new version.

    Raises:
        InputError: the bundle is damaged or has no SavedModel, the base path cannot be written, or the version is
            there already.
        WorkError: the bundle misses a parity gate, or the disk is full.
    """
    check_base(base_path, version)
    verification = verify(bundle, progress)
    if verification.failures:
        raise WorkError(f"{bundle}: not published: parity gate missed: {first_of(verification.failures)}")
    record = manifests.artifact(verification.manifest, ARTIFACT)
    _make_base(base_path, mode)
    try:
        with bundles.work_folder(base_path, WORK_PREFIX) as folder:
            progress("copying")
            copy_artifact(bundle, record, folder)
            progress("writing warmup requests")
            count = warmup.write(folder, record["signatures"], warmup_sizes, model_name(base_path))
            write_provenance(folder, bundle, verification.manifest, record, count)
            progress("flushing to the disk")
            bundles.fsync_tree(folder, mode)
            number = _rename(folder, base_path, version)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkError(f"{base_path}: could not be written: {reason}; no version was published") from error
    target = base_path / str(number)
    return Version(number, target, _provenance(target))


def closed_to_others(paths: Iterable[Path]) -> Path | None:
    """Returns the first path that only its owner and group can read, such as a container's user."""
    for path in paths:
        wanted = 0o005 if path.is_dir() else 0o004
        if path.stat().st_mode & wanted != wanted:
            return path
    return None


def check_base(base_path: Path, version: int | None) -> None:
    """Refuses a base path that cannot be written, and a version that is out of range or there already."""
    if "://" in str(base_path) or re.match(r"[a-z0-9]+:/", str(base_path)):
        raise InputError(f"{base_path}: versions are published to a local folder, not to a URI")
    if version is not None and not 1 <= version <= MAX_VERSION:
        raise InputError(f"version {version} is out of range: give 1 to {MAX_VERSION}")
    output_paths.Folder("BASE_PATH", base_path).check()
    if version is not None and base_path.is_dir():
        _check_free(base_path, version)


def _check_free(base_path: Path, version: int) -> None:
    if taken := version_folders(base_path).get(version):
        raise InputError(f"{taken[0]}: is there already and is never replaced; leave --version out or give another")


def _make_base(base_path: Path, mode: int | None) -> None:
    missing = [path for path in (base_path, *base_path.parents) if not path.exists()]
    try:
        base_path.mkdir(parents=True, exist_ok=True)
        if mode is not None:
            for path in missing:
                path.chmod(mode)
        sync(base_path.parent)
    except OSError as error:
        reason = f"{error.strerror}; choose a folder you may write to"
        raise InputError(f"{base_path}: cannot be created: {reason}") from error


def copy_artifact(bundle: Path, record: ArtifactRecord, folder: Path) -> None:
    """Copies a SavedModel's files, and checks the copies against its record."""
    source = manifests.resolve(bundle, ARTIFACT)
    for file in _inner_files(record):
        target = folder / file["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(manifests.resolve(source, file["path"]), target)
        manifests.check_file(folder, file)


def _inner_files(record: ArtifactRecord) -> list[FileRecord]:
    """The files of an artifact with paths inside it, not inside the bundle."""
    return [{**file, "path": file["path"].removeprefix(f"{record['path']}/")} for file in record["files"]]


def write_provenance(
    folder: Path,
    bundle: Path,
    manifest: Manifest,
    record: ArtifactRecord,
    warmup_requests: int,
    run: dict[str, str] | None = None,
) -> None:
    """Writes the provenance of a version, for `styleport versions` and `lineage`; `run` is a pipeline's step."""
    provenance = {
        "schema_version": 1,
        "published": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "run": run or {"by": "styleport publish"},
        "bundle": {
            "created": manifest["created"],
            "manifest_sha256": manifests.sha256(bundle / manifests.MANIFEST_FILE),
        },
        "source": manifest["source"],
        "toolchain": manifest["toolchain"],
        "artifact": {**record, "files": _inner_files(record)},
        "warmup_requests": warmup_requests,
        "verdict": record["verdict"],
    }
    path = folder / PROVENANCE_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")


def _rename(folder: Path, base_path: Path, version: int | None) -> int:
    """Gives a finished version its number; concurrent publishers get successive numbers."""
    while True:
        if version is not None:
            _check_free(base_path, version)
        number = version or max([0, *version_folders(base_path)]) + 1
        if number > MAX_VERSION:
            raise InputError(f"{base_path}: there is no number left after {MAX_VERSION}; give --version")
        try:
            # No lock is needed: a rename never replaces a folder that is not empty.
            folder.rename(base_path / str(number))
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                continue
            raise
        sync(base_path)
        return number
