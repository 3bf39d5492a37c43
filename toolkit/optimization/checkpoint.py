"""The saved state of a run: one file, written atomically, that names its run."""

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
    """A folder that holds the last state of a run.

    Args:
        folder: created if missing.
        settings: what decides the outcome of the run, values of JSON by name.

    Raises:
        InputError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.path = folder / STATE_FILE
        self._settings = json.loads(json.dumps({"format": FORMAT, **settings}))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(f"{staged_prefix(self.path)}*.tmp"):  # by a run that was killed while it wrote
                left.unlink()
        except OSError as error:
            raise InputError(f"cannot keep checkpoints in {folder}: {error.strerror}; choose another folder") from error

    def read(self) -> dict[str, np.ndarray] | None:
        """Returns the last state by name, None if there is none; refuses one of other settings, and a broken one."""
        if not os.path.lexists(self.path):
            return None
        if not self.path.is_file():
            raise self.broken("it is no file")
        try:
            with open_file(self.path) as stream, np.load(stream, allow_pickle=False) as archive:
                settings = json.loads(str(archive[_SETTINGS_KEY]))
                if isinstance(settings, dict):
                    self._check(settings)
                    return {name: archive[name] for name in archive.files if name != _SETTINGS_KEY}
        except InputError:
            raise
        except Exception as error:  # zipfile and NumPy raise nearly anything on broken bytes
            raise self.broken(one_line(error, most=200)) from error
        raise self.broken("it has no settings")

    def broken(self, why: str) -> InputError:
        """Returns the error that refuses the file."""
        return InputError(f"{self.path}: not a whole checkpoint ({why}); remove it to start anew")

    def check(self, state: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
        """Refuses a state that lacks an expected array, or has it in another form, before anything is taken of it."""
        for name, array in expected.items():
            if name not in state:
                raise self.broken(f"it lacks {name}")
            found = state[name]
            if found.shape != array.shape or found.dtype.kind != array.dtype.kind:
                raise self.broken(
                    f"{name} is {found.dtype} {list(found.shape)}, where {array.dtype} {list(array.shape)} is wanted"
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
                f"{self.path} is of another run ({'; '.join(differing)}): use its settings or another folder"
            )

    def write(self, state: dict[str, np.ndarray]) -> None:
        """Replaces the last state, which is kept where the disk is full or gone and a WorkError is raised."""
        arrays: dict[str, Any] = {_SETTINGS_KEY: np.array(json.dumps(self._settings)), **state}
        try:
            with replacing(self.path) as stream:
                np.savez(stream, **arrays)
        except OSError as error:
            raise WorkError(f"cannot write {self.path}: {error.strerror or error}; make room") from error
