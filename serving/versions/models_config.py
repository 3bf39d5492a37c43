"""The models.config that servers read: reads and changes a model in it under a lock."""

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.config import text_files
from serving.config.base_path import model_name, spelled
from serving.config.version_policy import picked
from serving.versions import label_notes
from serving.versions.label_notes import Moving, Notes
from serving.versions.publishing import version_numbers
from toolkit.errors import InputError, WorkError

TEMPLATE = Path(__file__).parents[1] / "config" / "models.config"
CONFIG_FILE = "models.config"


@dataclass
class Model:
    """One ModelConfig of a models.config, and the notes on its labels."""

    config: Any
    notes: Notes

    @property
    def labels(self) -> dict[str, int]:
        """The version of each label."""
        return dict(self.config.version_labels)

    @property
    def history(self) -> dict[str, list[int]]:
        """By label, its previous versions, oldest first."""
        return self.notes.history

    @property
    def moving(self) -> dict[str, Moving]:
        """By label, the unfinished move."""
        return self.notes.moving

    @property
    def policy(self) -> str:
        """The server's version policy: latest, all or specific."""
        return self.config.model_version_policy.WhichOneof("policy_choice") or "latest"

    @property
    def needed(self) -> set[int]:
        """The current and future versions of labels."""
        return {*self.labels.values(), *(moving.version for moving in self.moving.values())}

    def loaded(self, versions: Collection[int]) -> set[int]:
        """Selects the versions on disk that the server loads by its policy."""
        return set(picked(versions, self.config.model_version_policy))

    def unloaded(self, versions: Collection[int]) -> dict[str, int]:
        """Selects the labels whose version the server does not load, given the versions on disk."""
        loaded = self.loaded(versions)
        return {label: version for label, version in self.labels.items() if version not in loaded}

    def load(self, version: int, versions: Collection[int]) -> None:
        """Makes the server load a version in addition to the loaded ones.

        `latest` becomes `specific`: otherwise the next published version would replace a labeled one.
        """
        if self.policy != "all":
            wanted = self.loaded(versions) | (self.needed & set(versions)) | {version}
            self.config.model_version_policy.specific.versions[:] = sorted(wanted)

    def drop(self, version: int) -> None:
        """Makes the server unload a version without a current or moving label, but never the last one."""
        if self.policy == "specific" and version not in self.needed:
            specific = self.config.model_version_policy.specific.versions
            if kept := [other for other in specific if other != version]:
                specific[:] = kept

    def in_use(self, versions: Sequence[int]) -> set[int]:
        """Selects the versions on disk that are labeled, loaded by number, or targets of a rollback."""
        previous = {past[-1] for past in self.history.values() if past}
        by_policy = set() if self.policy == "all" else self.loaded(versions)
        return (self.needed | previous | by_policy) & set(versions)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Locks a models.config against other writers during the block, by a lock file beside it."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # another user's file, which can be locked nevertheless
            descriptor = os.open(lock, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise InputError(f"{path}: cannot be locked: {lock}: {error.strerror}; is it in a folder of yours?") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class ModelsFile:
    """A models.config, the folder of the versions, and a model in it; by default found by its base path."""

    path: Path
    base_path: Path
    model: str | None = None

    def read(self) -> Model:
        """Reads the model; refuses a file in which it is ambiguous."""
        config, head = text_files.read_models_and_head(self.path)
        return self._find(config, label_notes.read(head))

    def names_model(self) -> bool:
        """Returns whether the model is in the file, and unambiguous."""
        try:
            self.read()
        except InputError:
            return False
        return True

    def write_first(self, version: int, mode: int | None = None) -> bool:
        """Writes a file, unless there is one, that serves one version under the template's labels; returns whether."""
        with _locked(self.path.resolve()):
            if self.path.exists():
                return False
            config = text_files.read_models(TEMPLATE)
            (model,) = config.model_config_list.config
            model.name = self.model or model_name(self.base_path)
            model.base_path = str(spelled(self.base_path))
            model.model_version_policy.specific.versions[:] = [version]
            for label in list(model.version_labels):
                model.version_labels[label] = version
            text_files.write_models(self.path, config, label_notes.NOTE, mode)
            return True

    @contextlib.contextmanager
    def changing(self) -> Iterator[Model]:
        """Provides the model for changes under the lock, and writes the file if the block succeeds.

        A WorkError says that a label would newly refer to a version that servers do not load, or that the file cannot
        be written; it is unchanged then.
        """
        with _locked(self.path.resolve()):
            config, head = text_files.read_models_and_head(self.path)
            notes = label_notes.read(head)
            model = self._find(config, notes)
            before = config.SerializeToString(deterministic=True), label_notes.write(head, notes)
            unloaded = model.unloaded(version_numbers(self.base_path))
            yield model
            notes[model.config.name] = model.notes
            after = config.SerializeToString(deterministic=True), label_notes.write(head, notes)
            if after != before:
                self._check_labels(model, unloaded)
                text_files.write_models(self.path, config, after[1])

    def _check_labels(self, model: Model, before: dict[str, int]) -> None:
        now = model.unloaded(version_numbers(self.base_path))
        for label, version in sorted(now.items() - before.items()):
            raise WorkError(
                f"{self.path}: left as it was: label {label!r} would stand for version {version}, which is not loaded: "
                "somebody else changed the file or the versions meanwhile; try again"
            )

    def _find(self, config: Any, notes: dict[str, Notes]) -> Model:
        models = list(config.model_config_list.config)
        if not models:
            raise InputError(f"{self.path}: has no model; remove it, and `styleport publish` writes it again")
        if self.model is not None:
            found = [model for model in models if model.name == self.model]
        else:
            here = self.base_path.resolve()
            found = [model for model in models if Path(model.base_path).resolve() == here]
            # In a container the folder has another parent; its own name stays.
            names = (here.name, model_name(self.base_path))
            found = found or [model for model in models if Path(model.base_path).name in names]
        if len(found) != 1:
            there = ", ".join(repr(model.name) for model in models)
            meant = f"of the name {self.model!r}" if self.model is not None else f"with the base path {self.base_path}"
            raise InputError(f"{self.path}: {len(found) or 'no'} models {meant}: give --model, one of {there}")
        return Model(found[0], notes.get(found[0].name, Notes()))


def default_config(base_path: Path) -> Path:
    """Returns the default models.config of a base path: beside it."""
    return spelled(base_path).parent / CONFIG_FILE
