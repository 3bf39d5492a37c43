"""Checkpoints: the saved state of a run with its settings, in one atomically written file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import InputError, WorkError, one_line
from toolkit.files.atomic_write import replacing, staged_prefix
from toolkit.files.opening import open_file

STATE_FILE = "state.npz"
FORMAT = 1
_SETTINGS_KEY = "settings"


class Checkpoints:
    """A folder with the last state of a run.

    Args:
        folder: created if missing.
        settings: everything that determines the outcome of the run, JSON values by name.

    Raises:
        InputError: the folder cannot be created or written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.path = folder / STATE_FILE
        self._settings = json.loads(json.dumps({"format": FORMAT, **settings}))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(f"{staged_prefix(self.path)}*.tmp"):  # left by a run that was killed while writing
                left.unlink()
        except OSError as error:
            raise InputError(f"cannot keep checkpoints in {folder}: {error.strerror}; choose another folder") from error

    def read(self) -> dict[str, np.ndarray] | None:
        """Returns the arrays of the last state, None if there is none; refuses other settings and damaged files."""
        if not os.path.lexists(self.path):
            return None
        if not self.path.is_file():
            raise self.broken("it is not a file")
        try:
            with open_file(self.path) as stream, np.load(stream, allow_pickle=False) as archive:
                settings = json.loads(str(archive[_SETTINGS_KEY]))
                if isinstance(settings, dict):
                    self._check(settings)
                    return {name: archive[name] for name in archive.files if name != _SETTINGS_KEY}
        except InputError:
            raise
        except Exception as error:  # zipfile and NumPy raise almost any exception on damaged files
            raise self.broken(one_line(error, most=200)) from error
        raise self.broken("it has no settings")

    def broken(self, why: str) -> InputError:
        """Returns the error for a damaged file."""
        return InputError(f"{self.path}: not a complete checkpoint ({why}); remove it to start over")

    def check(self, state: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
        """Refuses a state in which an expected array is missing or has a different shape or type."""
        for name, array in expected.items():
            if name not in state:
                raise self.broken(f"{name} is missing")
            found = state[name]
            if found.shape != array.shape or found.dtype.kind != array.dtype.kind:
                raise self.broken(
                    f"{name} is {found.dtype} {list(found.shape)}, expected {array.dtype} {list(array.shape)}"
                )

    def _check(self, settings: dict[str, Any]) -> None:
        names = sorted({*settings, *self._settings})
        differing = [
            f"{name} {settings.get(name)} there, {self._settings.get(name)} here"
            for name in names
            if settings.get(name) != self._settings.get(name)
        ]
        if differing:
            raise InputError(
                f"{self.path} belongs to another run ({'; '.join(differing)}): use its settings or another folder"
            )

    def write(self, state: dict[str, np.ndarray]) -> None:
        """Replaces the last state; raises a WorkError and keeps it where the disk is full or gone."""
        arrays: dict[str, Any] = {_SETTINGS_KEY: np.array(json.dumps(self._settings)), **state}
        try:
            with replacing(self.path) as stream:
                np.savez(stream, **arrays)
        except OSError as error:
            raise WorkError(f"cannot write {self.path}: {error.strerror or error}; make room") from error
