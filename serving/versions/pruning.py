"""Removes old versions that nobody needs, thousands of them in one go."""

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
    """What was picked.

    Attributes:
        removed: the numbers of the versions that nobody needs.
        kept: those of the others.
        folders: where the removed ones are now, to be deleted.
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
    """Picks the versions that nobody needs.

    Returns:
        The versions that are older, have no label, are not loaded by name, and are no label's way back.
    """
    numbers = sorted(versions)
    needed = model.in_use(numbers) | set(numbers[-keep:] if keep else [])
    return [number for number in numbers if number not in needed]


@contextlib.contextmanager
def prune(file: ModelsFile, keep: int, dry_run: bool = False) -> Iterator[Pruned]:
    """Takes the versions that nobody needs out of the servers' sight, to be deleted in the block.

    Nobody may label a version while it is being taken away, so the models.config is locked; deleting takes longer, and
    keeps nobody waiting.

    Args:
        file: the models.config, and the base path.
        keep: how many of the newest are kept whatever else holds.
        dry_run: take nothing away.

    Raises:
        WorkError: a version could not be removed.
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
