"""Removes old, unused versions, even thousands at once."""

import contextlib
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from export.bundle import folder as bundles
from serving.versions.models_config import Model, ModelsFile
from serving.versions.publishing import WORK_PREFIX, version_folders
from toolkit.errors import WorkError
from toolkit.files.atomic_write import sync


@dataclass(frozen=True)
class Pruned:
    """The selected versions.

    Attributes:
        removed: numbers of the unused versions.
        kept: numbers of the others.
        folders: current folders of the removed versions, to be deleted.
    """

    removed: list[int]
    kept: list[int]
    folders: list[Path]

    def delete(self, progress: Callable[[str], None] = lambda step: None) -> None:
        """Deletes the folders."""
        for folder in self.folders:
            progress(f"removing version {folder.name}")
            shutil.rmtree(folder)


def prunable(model: Model, versions: Collection[int], keep: int) -> list[int]:
    """Selects the older versions without a label that are not loaded by number, or targets of a rollback."""
    numbers = sorted(versions)
    needed = model.in_use(numbers) | set(numbers[-keep:] if keep else [])
    return [number for number in numbers if number not in needed]


@contextlib.contextmanager
def prune(file: ModelsFile, keep: int, dry_run: bool = False) -> Iterator[Pruned]:
    """Hides the unused versions from the servers, for deletion in the block; always keeps the newest `keep`.

    The models.config is locked meanwhile, so that no removed version can be labeled; the slower deletion happens
    without the lock.
    """
    if dry_run:
        with file.changing() as model:
            found = version_folders(file.base_path)
            removed = prunable(model, found, keep)
        yield Pruned(removed, sorted(found.keys() - set(removed)), [])
        return
    try:
        with bundles.work_folder(file.base_path, WORK_PREFIX) as aside:
            with file.changing() as model:
                found = version_folders(file.base_path)
                removed = prunable(model, found, keep)
                for folder in [folder for number in removed for folder in found[number]]:
                    folder.rename(aside / folder.name)
                sync(file.base_path)
            yield Pruned(removed, sorted(found.keys() - set(removed)), sorted(aside.iterdir()))
    except OSError as error:
        raise WorkError(f"{error.filename}: could not be removed: {error.strerror or error}") from error
