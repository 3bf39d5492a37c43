"""The models.config that servers read: one model in it, read and changed under a lock."""

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
    """One ModelConfig of a models.config, and what is noted of its labels, to be read and changed."""

    config: Any
    notes: Notes

    @property
    def labels(self) -> dict[str, int]:
        """The version that each label stands for."""
        return dict(self.config.version_labels)

    @property
    def history(self) -> dict[str, list[int]]:
        """By label, the versions it stood for before, oldest first."""
        return self.notes.history

    @property
    def moving(self) -> dict[str, Moving]:
        """By label, the move that is under way."""
        return self.notes.moving

    @property
    def policy(self) -> str:
        """How the server chooses what to load: latest, all or specific."""
        return self.config.model_version_policy.WhichOneof("policy_choice") or "latest"

    @property
    def needed(self) -> set[int]:
        """The versions that labels stand for, or are on their way to."""
        return {*self.labels.values(), *(moving.version for moving in self.moving.values())}

    def loaded(self, versions: Collection[int]) -> set[int]:
        """Picks, from the versions on disk, those that the policy has the server load."""
        return set(picked(versions, self.config.model_version_policy))

    def unloaded(self, versions: Collection[int]) -> dict[str, int]:
        """Picks, given the versions on disk, the labels whose version the server does not load."""
        loaded = self.loaded(versions)
        return {label: version for label, version in self.labels.items() if version not in loaded}

    def load(self, version: int, versions: Collection[int]) -> None:
        """Has the server load a version beside what it has loaded.

        `latest` becomes `specific`: the next version to be published would push a labeled one out.
        """
        if self.policy != "all":
            wanted = self.loaded(versions) | (self.needed & set(versions)) | {version}
            self.config.model_version_policy.specific.versions[:] = sorted(wanted)

    def drop(self, version: int) -> None:
        """Has the server drop a version that no label stands for or is on its way to, but never the last one."""
        if self.policy == "specific" and version not in self.needed:
            specific = self.config.model_version_policy.specific.versions
            if kept := [other for other in specific if other != version]:
                specific[:] = kept

    def in_use(self, versions: Sequence[int]) -> set[int]:
        """Picks, from the versions on disk, those that are needed, loaded by name, or what a rollback returns to."""
        previous = {past[-1] for past in self.history.values() if past}
        by_policy = set() if self.policy == "all" else self.loaded(versions)
        return (self.needed | previous | by_policy) & set(versions)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keeps all others who change a models.config out until the block ends, by a lock file beside it."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:  # another user's, which can be locked all the same
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
    """A models.config and the model in it that is meant.

    Attributes:
        path: the file.
        base_path: the folder of the versions.
        model: the model's name; by default it is found by its base path.
    """

    path: Path
    base_path: Path
    model: str | None = None

    def read(self) -> Model:
        """Reads the model; refuses a file that does not tell which model is meant."""
        config, head = text_files.read_models_and_head(self.path)
        return self._find(config, label_notes.read(head))

    def names_model(self) -> bool:
        """Returns whether the model is in the file, and told apart from the others in it."""
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
        """Gives the model to change, keeps other writers out meanwhile, and writes the file if the block ends well.

        Raises:
            InputError: as for `read`.
            WorkError: a label would stand for a version that servers do not load, and did not before; or the file
                cannot be written. It is as it was.
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
            raise InputError(f"{self.path}: there is no model in it; remove it, and `styleport publish` writes it anew")
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
    """Returns where the models.config of a base path is by default: beside it."""
    return spelled(base_path).parent / CONFIG_FILE
