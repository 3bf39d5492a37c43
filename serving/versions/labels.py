"""Labels such as `stable` and `canary`: names for versions, moved while servers answer.

A server refuses a label of a version that it has not loaded, and all of the file with it, so traffic moves in three
steps: the new version is loaded beside the old one, the label is moved, the old one is dropped. Each step waits for
every server. Runs of these commands may overlap: a version that one of them waits for is dropped by none.
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

# A server that was not named, or started meanwhile: it had no time to load the version before the label moved.
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
    """Moves a label to a version, once every server has it AVAILABLE.

    `servers` and `labeled` are clients of the same servers, iterated at each look; the latter ask for the label.

    Raises:
        InputError: there is no such version on disk, or the file is not to be read.
        WorkError: a server did not have the version AVAILABLE in time, failed to load it, or does not heed the label.
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
    """Moves a label back to what it stood for before, in the same steps as `move`; done again, it goes further back.

    Args:
        file: the models.config that the servers read.
        label: the label.
        servers: clients of every server, iterated at each look.
        labeled: clients of the same servers that ask for the label.
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
    return _moved(_Step(file, label, past[-1], back=True), servers, labeled, timeout, progress)


def remove_label(file: ModelsFile, label: str) -> Move:
    """Takes a label away, and has the server drop the version if no other label stands for it."""
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
    # A version that the file asked for before is not tried again: its failure stands.
    failed = failed if step.added else {}
    hint = _LEFT_BEHIND if step.before == step.version else NOT_READ
    available = _Available(version_folder(step.file.base_path, step.version), step.version, failed, hint)
    try:
        wait(servers, available, until, timeout, progress)
        step.relabel()
    except BaseException:
        # Nothing was moved: the servers need not keep what was loaded for it.
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
    """One move of one label, forth or back, as it is written to the file."""

    def __init__(self, file: ModelsFile, label: str, version: int, back: bool) -> None:
        self.file, self.label, self.version, self._back = file, label, version, back
        self._own = Moving(version, secrets.token_hex(4))
        self.before: int | None = None
        self._displaced: int | None = None
        self.added = False
        self._policies: tuple[Any, Any] = (None, None)

    def begin(self) -> None:
        """Has the version loaded beside what is loaded, and notes that it is waited for."""
        with self.file.changing() as model:
            numbers = version_numbers(self.file.base_path)
            if self.version not in numbers:
                there = f"choose from {', '.join(map(str, numbers))}" if numbers else "publish one first"
                raise InputError(f"{self.file.base_path}: there is no version {self.version}: {there}")
            self.before = model.labels.get(self.label)
            self._displaced = self.before
            if self.before == self.version:
                # Either there is nothing to do, or a run that was cut off has left the old version loaded.
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
            if model.labels.get(self.label) == self.version:  # as it was, or another run has moved it there
                return
            past = model.history.setdefault(self.label, [])
            if model.labels.get(self.label) != self.before or (self._back and past[-1:] != [self.version]):
                raise WorkError(f"somebody else moved the label {self.label!r} meanwhile; try again")
            if self._back:
                past.pop()
            elif self.before is not None:
                past.append(self.before)
            model.config.version_labels[self.label] = self.version

    def end(self) -> None:
        """Has the version dropped that the label stood for before."""
        with self.file.changing() as model:
            self._forget(model)
            if self._displaced is not None:
                model.drop(self._displaced)

    def undo(self) -> None:
        """Has the file say what it said before the beginning, but for what others have changed since."""
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
    """Tells which servers failed at the version some time ago: they try again when they are asked for it again."""
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
        """Returns what is missing on a server, or None."""
        status = next((reported for reported in server.status() if reported.version == self.version), None)
        if status is not None and status.state == "AVAILABLE":
            return None
        if self.folder is not None and (reason := missing_graph(self.folder)):
            # The server tries for minutes before it says so.
            raise WorkError(f"version {self.version} cannot be loaded: {reason}")
        message = f"version {self.version} failed to load: {status.error_message}" if status else ""
        if status is not None and status.state == "END" and status.error_code != "OK":
            if self.failed.get(server.url) == status:
                return Missing(message, self.hint)
            # It is not tried again: there is nothing to wait for.
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
    """Finds what is missing before a label stands for a version."""

    label: str
    version: int

    def __call__(self, server: Server) -> Missing | None:
        """Returns what is missing on a server, or None."""
        served = server.served_version()
        if served == self.version:
            return None
        loaded = any(reported.version == self.version and reported.state == "AVAILABLE" for reported in server.status())
        return Missing(f"label {self.label} still stands for version {served}", NOT_READ if loaded else _LEFT_BEHIND)
