"""Copies a bundle from any file system to a local folder."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from apache_beam.io.filesystems import FileSystems

from serving.pipelines.beam import files
from toolkit import manifest as manifests
from toolkit.errors import InputError, WorkError

ARTIFACT = "saved_model"
_BLOCK_BYTES = 1 << 20


def check(bundle: str) -> None:
    """Refuses a bundle without a SavedModel that takes a style, or whose verdict is not `pass`."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = manifests.read(_manifest(bundle, Path(folder)))
    record = manifests.artifact(manifest, ARTIFACT)
    if manifests.method(manifest) == manifests.SINGLE_STYLE:
        raise InputError(f"{bundle}: has a built-in style and paints in no other: paint with styleport stylize")
    for what, verdict in ((bundle, manifest.get("verdict")), (f"{bundle}/{ARTIFACT}", record.get("verdict"))):
        if verdict != "pass":
            raise WorkError(f"{what}: its verdict is {verdict!r}, not 'pass': export it again, or see its report")


@contextlib.contextmanager
def local_bundle(bundle: str) -> Iterator[Path]:
    """Provides a bundle's SavedModel and manifest as a local folder, copied if necessary; not verified yet."""
    if "://" not in bundle:
        yield Path(bundle)
        return
    with tempfile.TemporaryDirectory(prefix="styleport-bundle-") as name:
        folder = _manifest(bundle, Path(name))
        record = manifests.artifact(manifests.read(folder), ARTIFACT)
        for file in record["files"]:
            _fetch(FileSystems.join(bundle, file["path"]), manifests.resolve(folder, file["path"]), file["bytes"])
        yield folder


def _manifest(bundle: str, folder: Path) -> Path:
    """Copies the manifest into a folder, which is returned."""
    try:
        _fetch(
            FileSystems.join(bundle, manifests.MANIFEST_FILE),
            folder / manifests.MANIFEST_FILE,
            manifests.MAX_MANIFEST_BYTES,
        )
    except InputError as error:
        raise InputError(f"{bundle}: not a bundle ({error}): give the folder that styleport export made") from error
    return folder


def _fetch(source: str, target: Path, most: int) -> None:
    """Copies a file; a longer file is truncated, and then refused by its hash."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.reading(source) as stream, target.open("wb") as copy:
        while most > 0 and (block := stream.read(min(most, _BLOCK_BYTES))):
            copy.write(block)
            most -= len(block)
