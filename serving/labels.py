"""Labels such as `stable` and `canary`: names for versions, kept in the models.config that the server reads.

The label of a version that the server has not loaded is refused by it, so traffic moves in three steps: the new
version is loaded beside the old one, the label is moved, the old one is dropped. What a label stood for before is kept
as a comment in the same file, and so changes with it in one rename.
"""

import contextlib
import fcntl
import functools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote

from serving import config_files
from serving.server.version_policy import aspired
from serving.transport import ServerError, VersionStatus
from serving.versions import Version, find_versions
from toolkit.errors import InputError, WorkError

TEMPLATE = Path(__file__).with_name("config") / "models.config"
CONFIG_FILE = "models.config"
NOTE = "# Labels and loaded versions are kept by `styleport label` and `rollback`; comments below are not kept.\n"
_HISTORY = "# history: "
# How often a label can be rolled back.
HISTORY_LENGTH = 20
POLL_SECONDS = 0.5
# How a server answers that is starting, or has yet to read its configuration.
NOT_YET = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION")

Progress = Callable[[str], None]


class Server(Protocol):
    """What is asked of a server: a `StylizerClient` is one."""

    url: str

    def status(self) -> list[VersionStatus]:
        """Returns the state of the model's versions."""

    def served_version(self) -> int:
        """Returns the version that answers."""


@dataclass
class Model:
    """One model of a models.config, to be read and changed.

    Attributes:
        config: its tensorflow.serving.ModelConfig.
        history: by label, the versions it stood for before, oldest first.
    """

    config: Any
    history: dict[str, list[int]]

    @property
    def labels(self) -> dict[str, int]:
        """The version that each label stands for."""
        return dict(self.config.version_labels)

    @property
    def policy(self) -> str:
        """How the server chooses what to load: latest, all or specific."""
        return self.config.model_version_policy.WhichOneof("policy_choice") or "latest"

    def loaded(self, versions: Sequence[int]) -> set[int]:
        """Picks, from the versions on disk, those that the policy has the server load."""
        return set(aspired(dict.fromkeys(versions, Path()), self.config.model_version_policy))

    def load(self, version: int, versions: Sequence[int]) -> None:
        """Has the server load a version beside what it has loaded.

        `latest` becomes `specific`: the next version to be published would push a labelled one out.
        """
        if self.policy != "all":
            wanted = self.loaded(versions) | (set(self.labels.values()) & set(versions)) | {version}
            self.config.model_version_policy.specific.versions[:] = sorted(wanted)

    def drop(self, versions: set[int]) -> None:
        """Has the server drop versions that no label stands for, but never all of them."""
        if self.policy == "specific":
            specific = self.config.model_version_policy.specific.versions
            kept = [version for version in specific if version not in versions or version in self.labels.values()]
            if kept:
                specific[:] = kept

    def in_use(self, versions: Sequence[int]) -> set[int]:
        """Picks, from the versions on disk, those that are labelled, loaded by name, or what a rollback returns to."""
        previous = {past[-1] for past in self.history.values() if past}
        by_policy = set() if self.policy == "all" else self.loaded(versions)
        return (set(self.labels.values()) | previous | by_policy) & set(versions)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a folder that they lock as well, until the block ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise InputError(f"{folder}: cannot be opened: {error.strerror}") from error
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
        """Reads the model.

        Raises:
            InputError: the file cannot be read, or does not tell which model is meant.
        """
        return self._find(config_files.read_models(self.path), _history(config_files.read_head(self.path)))

    def names_model(self) -> bool:
        """Returns whether the model is in the file, and told apart from the others in it."""
        try:
            self.read()
        except InputError:
            return False
        return True

    def write_first(self, version: int) -> bool:
        """Writes a file that serves one version under the labels of the template, unless there is a file.

        Args:
            version: the version.

        Returns:
            Whether the file was written.
        """
        with _locked(self.path.parent):
            if self.path.exists():
                return False
            config = config_files.read_models(TEMPLATE)
            (model,) = config.model_config_list.config
            model.name = self.model or self.base_path.resolve().name
            model.base_path = str(self.base_path.resolve())
            model.model_version_policy.specific.versions[:] = [version]
            for label in list(model.version_labels):
                model.version_labels[label] = version
            config_files.write_models(self.path, config, NOTE)
            return True

    @contextlib.contextmanager
    def changing(self) -> Iterator[Model]:
        """Gives the model to change, keeps other writers out meanwhile, and writes the file if the block ends well."""
        with _locked(self.path.resolve().parent):
            config, head = config_files.read_models(self.path), config_files.read_head(self.path)
            histories = _history(head)
            model = self._find(config, histories)
            before = config.SerializeToString(deterministic=True), _head(head, histories)
            yield model
            histories[model.config.name] = model.history
            after = config.SerializeToString(deterministic=True), _head(head, histories)
            if after != before:
                config_files.write_models(self.path, config, after[1])

    def _find(self, config: Any, histories: dict[str, dict[str, list[int]]]) -> Model:
        models = list(config.model_config_list.config)
        if self.model is not None:
            found = [model for model in models if model.name == self.model]
        else:
            here = self.base_path.resolve()
            found = [model for model in models if Path(model.base_path).resolve() == here]
            # In a container the folder has another parent; its own name stays.
            found = found or [model for model in models if Path(model.base_path).name == here.name]
        if len(found) != 1:
            names = ", ".join(repr(model.name) for model in models) or "none"
            meant = f"of the name {self.model!r}" if self.model is not None else f"with the base path {self.base_path}"
            raise InputError(f"{self.path}: {len(found) or 'no'} models {meant}: give --model; there are {names}")
        return Model(found[0], histories.get(found[0].name, {}))


def default_config(base_path: Path) -> Path:
    """Returns where the models.config of a base path is by default: beside it."""
    return base_path.resolve().parent / CONFIG_FILE


def _history(head: str) -> dict[str, dict[str, list[int]]]:
    """Reads, by model and label, what the labels stood for before."""
    found: dict[str, dict[str, list[int]]] = {}
    for line in head.splitlines():
        model, _, rest = line.removeprefix(_HISTORY).partition(" ")
        label, _, versions = rest.partition(" ")
        if line.startswith(_HISTORY) and label and all(part.isdecimal() for part in versions.split()):
            found.setdefault(unquote(model), {})[unquote(label)] = [int(part) for part in versions.split()]
    return found


def _head(head: str, histories: dict[str, dict[str, list[int]]]) -> str:
    """The comment at the file's head with the histories brought up to date, and all else in it kept."""
    kept = [line for line in head.splitlines(keepends=True) if not line.startswith(_HISTORY)]
    lines = [
        f"{_HISTORY}{quote(model)} {quote(label)} {' '.join(map(str, past[-HISTORY_LENGTH:]))}\n"
        for model, labels in sorted(histories.items())
        for label, past in sorted(labels.items())
        if past
    ]
    return "".join(kept or [NOTE]) + "".join(lines)


@dataclass(frozen=True)
class Move:
    """A label that was moved.

    Attributes:
        label: its name.
        before: the version it stood for; None for a new label.
        after: the version it stands for now; None where the label is gone.
    """

    label: str
    before: int | None
    after: int | None


def move(
    file: ModelsFile,
    label: str,
    version: int,
    servers: Sequence[Server],
    labelled: Sequence[Server],
    timeout: float,
    progress: Progress = lambda step: None,
) -> Move:
    """Moves a label to a version, once every server has it AVAILABLE.

    Args:
        file: the models.config that the servers read.
        label: the label.
        version: the version it is to stand for.
        servers: clients of each server.
        labelled: clients of the same servers that ask for the label.
        timeout: seconds that the servers may take.
        progress: told what is waited for, at every look.

    Returns:
        What the label stood for, and stands for now.

    Raises:
        InputError: there is no such version on disk, or the file is not to be read.
        WorkError: a server did not have the version AVAILABLE in time, failed to load it, or does not heed the label.
    """
    return _move(file, label, version, servers, labelled, timeout, progress, back=False)


def rollback(
    file: ModelsFile,
    label: str,
    servers: Sequence[Server],
    labelled: Sequence[Server],
    timeout: float,
    progress: Progress = lambda step: None,
) -> Move:
    """Moves a label back to what it stood for before, in the same steps as `move`; done again, it goes further back.

    Args:
        file: the models.config that the servers read.
        label: the label.
        servers: clients of each server.
        labelled: clients of the same servers that ask for the label.
        timeout: seconds that the servers may take.
        progress: told what is waited for, at every look.

    Returns:
        What the label stood for, and stands for now.

    Raises:
        InputError: the label never stood for another version, or that version is gone.
        WorkError: as for `move`.
    """
    past = file.read().history.get(label, [])
    if not past:
        raise InputError(f"{file.path}: label {label!r} has no earlier version to go back to")
    return _move(file, label, past[-1], servers, labelled, timeout, progress, back=True)


def _move(
    file: ModelsFile,
    label: str,
    version: int,
    servers: Sequence[Server],
    labelled: Sequence[Server],
    timeout: float,
    progress: Progress,
    back: bool,
) -> Move:
    until = time.monotonic() + timeout
    with file.changing() as model:
        _check_present(file.base_path, version)
        before, policy = model.labels.get(label), _copy(model.config.model_version_policy)
        model.load(version, _numbers(find_versions(file.base_path)))
        widened = _copy(model.config.model_version_policy)
    try:
        for server in servers:
            _await(functools.partial(_available, server, version), server, until, timeout, progress)
        with file.changing() as model:
            _relabel(model, label, before, version, back)
    except BaseException:
        # Nothing was moved: the server need not keep what was loaded for it, unless somebody else wants it by now.
        with contextlib.suppress(InputError, WorkError), file.changing() as model:
            if model.config.model_version_policy == widened and version not in model.labels.values():
                model.config.model_version_policy.CopyFrom(policy)
        raise
    try:
        for server in labelled:
            _await(functools.partial(_heeded, server, label, version), server, until, timeout, progress)
    except WorkError as error:
        raise WorkError(f"{file.path} has moved {label!r} to {version}, and drops nothing, for {error}") from error
    with file.changing() as model:
        model.drop({*model.history.get(label, []), *([before] if before is not None else [])})
    return Move(label, before, version)


def _numbers(versions: list[Version]) -> list[int]:
    return [version.number for version in versions]


def _copy(message: Any) -> Any:
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


def _check_present(base_path: Path, version: int) -> None:
    present = _numbers(find_versions(base_path))
    if version not in present:
        there = ", ".join(map(str, present)) or "none"
        raise InputError(f"{base_path}: there is no version {version}; there are {there}")


def _relabel(model: Model, label: str, before: int | None, version: int, back: bool) -> None:
    past = model.history.setdefault(label, [])
    if model.labels.get(label) != before or (back and past[-1:] != [version]):
        raise WorkError(f"somebody else moved the label {label!r} meanwhile; try again")
    if back:
        past.pop()
    elif before is not None and before != version:
        past.append(before)
    model.config.version_labels[label] = version


def remove_label(file: ModelsFile, label: str) -> Move:
    """Takes a label away, and has the server drop the version if no other label stands for it.

    Args:
        file: the models.config that the servers read.
        label: the label.

    Returns:
        What the label stood for.

    Raises:
        InputError: there is no such label.
    """
    with file.changing() as model:
        if label not in model.labels:
            raise InputError(f"{file.path}: there is no label {label!r}; there are {', '.join(model.labels) or 'none'}")
        version = model.labels[label]
        del model.config.version_labels[label]
        model.history.pop(label, None)
        model.drop({version})
    return Move(label, version, None)


def prunable(model: Model, versions: list[Version], keep: int) -> list[Version]:
    """Picks the versions that nobody needs.

    Args:
        model: as the models.config has it.
        versions: those on disk.
        keep: how many of the newest are kept whatever else holds.

    Returns:
        The versions that are older, have no label, are not loaded by name, and are no label's way back.
    """
    numbers = _numbers(versions)
    needed = model.in_use(numbers) | set(sorted(set(numbers))[-keep:] if keep else [])
    return [version for version in versions if version.number not in needed]


def _available(server: Server, version: int) -> str | None:
    """Returns what is still missing before the version is AVAILABLE, or None."""
    for status in server.status():
        if status.version == version:
            if status.state == "END" and status.error_code != "OK":
                # It is not tried again: there is nothing to wait for.
                raise WorkError(f"{server.url}: version {version} failed to load: {status.error_message}")
            return None if status.state == "AVAILABLE" else f"version {version} is {status.state}"
    return f"version {version} is not loaded"


def _heeded(server: Server, label: str, version: int) -> str | None:
    served = server.served_version()
    return None if served == version else f"label {label} still stands for version {served}"


def _await(check: Callable[[], str | None], server: Server, until: float, timeout: float, progress: Progress) -> None:
    while True:
        try:
            missing = check()
        except ServerError as error:
            if error.code not in NOT_YET:
                raise
            missing = f"{error.code}: {error.detail}"
        if missing is None:
            return
        progress(missing)
        if time.monotonic() + POLL_SECONDS > until:
            raise WorkError(
                f"{server.url}: {missing}, after {timeout:g} seconds: is it reading this models.config again "
                "(--model_config_file_poll_wait_seconds)?"
            )
        time.sleep(POLL_SECONDS)
