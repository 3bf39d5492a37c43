"""Labels such as `stable` and `canary`: names for versions, moved while servers answer.

A server refuses a label of a version that it has not loaded, and then the whole file, so a label moves in three steps:
load the new version beside the old, move the label, unload the old version. Each step waits for every server. Runs of
these commands may overlap: none unloads a version that another waits for.
"""

import contextlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.artifact import Progress
from serving.client.replicas import NOT_READ, Missing, Server, wait
from serving.client.transport import ServerError, VersionStatus
from serving.config.version_policy import missing_graph
from serving.versions.label_notes import Moving
from serving.versions.models_config import Model, ModelsFile
from serving.versions.publishing import version_folder, version_numbers
from toolkit.errors import InputError, WorkError

# For a server that was not named, or started meanwhile: it could not load the version before the label moved.
_LEFT_BEHIND = (
    "it has not loaded the new version, and so refuses the file that labels it: go back with `styleport rollback`, and "
    "move the label again with every server named"
)


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
    servers: Iterable[Server],
    labeled: Iterable[Server],
    timeout: float,
    progress: Progress = lambda step: None,
) -> Move:
    """Moves a label to a version, once it is AVAILABLE on every server.

    `servers` and `labeled` are clients of the same servers, iterated at each attempt; the latter request the label.

    Raises:
        InputError: there is no such version on disk, or the file cannot be read.
        WorkError: a server did not have the version AVAILABLE in time, failed to load it, or does not apply the label.
    """
    return _moved(_Step(file, label, version, back=False), servers, labeled, timeout, progress)


def rollback(
    file: ModelsFile,
    label: str,
    servers: Iterable[Server],
    labeled: Iterable[Server],
    timeout: float,
    progress: Progress = lambda step: None,
) -> Move:
    """Moves a label back to its previous version, in the same steps as `move`; repeated calls go further back.

    Args:
        file: the models.config that the servers read.
        label: the label.
        servers: clients of every server, iterated at each attempt.
        labeled: clients of the same servers that request the label.
        timeout: seconds that the servers may take.
        progress: called with the missing steps at each attempt.

    Returns:
        The old and the new version of the label.

    Raises:
        InputError: the label has no previous version, or that version is gone.
        WorkError: as for `move`.
    """
    past = file.read().history.get(label, [])
    if not past:
        raise InputError(f"{file.path}: label {label!r} has no earlier version to go back to")
    return _moved(_Step(file, label, past[-1], back=True), servers, labeled, timeout, progress)


def remove_label(file: ModelsFile, label: str) -> Move:
    """Removes a label, and unloads its version if no other label refers to it."""
    with file.changing() as model:
        if label not in model.labels:
            there = f"choose from {', '.join(model.labels)}" if model.labels else "the model has none"
            raise InputError(f"{file.path}: there is no label {label!r}: {there}")
        version = model.labels[label]
        del model.config.version_labels[label]
        model.history.pop(label, None)
        model.moving.pop(label, None)
        model.drop(version)
    return Move(label, version, None)


def _moved(
    step: "_Step", servers: Iterable[Server], labeled: Iterable[Server], timeout: float, progress: Progress
) -> Move:
    until = time.monotonic() + timeout
    failed = _failed(labeled, step)
    step.begin()
    # A version that the file requested before is not retried: its failure counts.
    failed = failed if step.added else {}
    hint = _LEFT_BEHIND if step.before == step.version else NOT_READ
    available = _Available(version_folder(step.file.base_path, step.version), step.version, failed, hint)
    try:
        wait(servers, available, until, timeout, progress)
        step.relabel()
    except BaseException:
        # The label was not moved, so the loaded version is not needed.
        with contextlib.suppress(InputError, WorkError):
            step.undo()
        raise
    try:
        wait(labeled, _Heeded(step.label, step.version), until, timeout, progress)
    except WorkError as error:
        raise WorkError(
            f"{step.file.path} has moved {step.label!r} to {step.version}, and drops nothing, for {error}"
        ) from error
    step.end()
    return Move(step.label, step.before, step.version)


class _Step:
    """A move of a label, with its steps in the file."""

    def __init__(self, file: ModelsFile, label: str, version: int, back: bool) -> None:
        self.file, self.label, self.version, self._back = file, label, version, back
        self._own = Moving(version, secrets.token_hex(4))
        self.before: int | None = None
        self._displaced: int | None = None
        self.added = False
        self._policies: tuple[Any, Any] = (None, None)

    def begin(self) -> None:
        """Requests the version in addition to the loaded ones, and notes the move."""
        with self.file.changing() as model:
            numbers = version_numbers(self.file.base_path)
            if self.version not in numbers:
                there = f"choose from {', '.join(map(str, numbers))}" if numbers else "publish one first"
                raise InputError(f"{self.file.base_path}: there is no version {self.version}: {there}")
            self.before = model.labels.get(self.label)
            self._displaced = self.before
            if self.before == self.version:
                # Nothing to do, or an interrupted run has left the old version loaded.
                left = model.moving.get(self.label)
                past = model.history.get(self.label, []) if left and left.version == self.version else []
                self._displaced = past[-1] if past else None
            policy = _copy(model.config.model_version_policy)
            self.added = self.version not in model.loaded(numbers)
            model.load(self.version, numbers)
            self._policies = policy, _copy(model.config.model_version_policy)
            model.moving[self.label] = self._own

    def relabel(self) -> None:
        """Moves the label."""
        with self.file.changing() as model:
            if model.labels.get(self.label) == self.version:  # unchanged, or moved by another run
                return
            past = model.history.setdefault(self.label, [])
            if model.labels.get(self.label) != self.before or (self._back and past[-1:] != [self.version]):
                raise WorkError(f"another process moved the label {self.label!r} meanwhile; try again")
            if self._back:
                past.pop()
            elif self.before is not None:
                past.append(self.before)
            model.config.version_labels[self.label] = self.version

    def end(self) -> None:
        """Unloads the previous version of the label."""
        with self.file.changing() as model:
            self._forget(model)
            if self._displaced is not None:
                model.drop(self._displaced)

    def undo(self) -> None:
        """Restores the file, except for changes by others."""
        with self.file.changing() as model:
            self._forget(model)
            policy, widened = self._policies
            if self.version in model.needed:
                return
            if model.config.model_version_policy == widened:
                model.config.model_version_policy.CopyFrom(policy)
            elif self.added:
                model.drop(self.version)

    def _forget(self, model: Model) -> None:
        if model.moving.get(self.label) == self._own:
            del model.moving[self.label]


def _copy(message: Any) -> Any:
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


def _failed(servers: Iterable[Server], step: _Step) -> dict[str, VersionStatus]:
    """Returns earlier failures of servers to load the version, which they retry when it is requested again."""
    found: dict[str, VersionStatus] = {}
    with contextlib.suppress(ServerError):
        for server in servers:
            with contextlib.suppress(ServerError):
                found.update(
                    [(server.url, reported) for reported in server.status() if reported.version == step.version]
                )
    return {url: status for url, status in found.items() if status.state == "END" and status.error_code != "OK"}


@dataclass(frozen=True)
class _Available:
    """Finds what is missing before a version is AVAILABLE.

    Attributes:
        folder: of the version.
        version: its number.
        failed: by URL, failures that are older than this move.
        hint: why a server may not load it.
    """

    folder: Path | None
    version: int
    failed: dict[str, VersionStatus]
    hint: str

    def __call__(self, server: Server) -> Missing | None:
        """Returns the missing step of a server, or None."""
        status = next((reported for reported in server.status() if reported.version == self.version), None)
        if status is not None and status.state == "AVAILABLE":
            return None
        if self.folder is not None and (reason := missing_graph(self.folder)):
            # The server retries for minutes before it reports this.
            raise WorkError(f"version {self.version} cannot be loaded: {reason}")
        message = f"version {self.version} failed to load: {status.error_message}" if status else ""
        if status is not None and status.state == "END" and status.error_code != "OK":
            if self.failed.get(server.url) == status:
                return Missing(message, self.hint)
            # It is not retried, so there is nothing to wait for.
            raise WorkError(f"{server.url}: {message}")
        self.failed.pop(server.url, None)
        if status is None or status.state == "END":
            return Missing(f"version {self.version} is not loaded", self.hint)
        return Missing(
            f"version {self.version} is {status.state}",
            "its log says whether the load fails and is tried again; --timeout gives it longer",
        )


@dataclass(frozen=True)
class _Heeded:
    """Finds what is missing before a label refers to a version."""

    label: str
    version: int

    def __call__(self, server: Server) -> Missing | None:
        """Returns the missing step of a server, or None."""
        served = server.served_version()
        if served == self.version:
            return None
        loaded = any(reported.version == self.version and reported.state == "AVAILABLE" for reported in server.status())
        return Missing(f"label {self.label} still stands for version {served}", NOT_READ if loaded else _LEFT_BEHIND)
