"""Checks the user's `keras.json` before TensorFlow and Keras read it during their import.

Both fail on unknown values, and block on a pipe. Valid settings change no picture; `toolkit.framework.backend` makes
sure of that.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from toolkit.errors import InputError

# Takes precedence over the file.
BACKEND_VARIABLE = "KERAS_BACKEND"
# Valid settings; `toolkit.framework.backend` refuses backends other than TensorFlow.
_KNOWN = {
    "backend": ("tensorflow", "jax", "torch", "numpy", "openvino"),
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}
_READERS = ("keras", "tensorflow", "tf_keras")


def settings_file() -> Path:
    """Returns where Keras looks for the user's settings."""
    # As in Keras; pathlib would raise without a home folder.
    home = os.path.expanduser("~")  # noqa: PTH111
    folder = os.environ.get("KERAS_HOME", f"{home if os.access(home, os.W_OK) else '/tmp'}/.keras")  # noqa: S108
    return Path(os.path.expanduser(folder), "keras.json")  # noqa: PTH111


def check() -> None:
    """Refuses settings with which importing TensorFlow or Keras fails."""
    path = settings_file()
    settings = _read(path)
    if not isinstance(settings, dict):
        raise InputError(f"{path}: not a JSON object with Keras's settings; fix or remove it")
    if not isinstance(settings.get("epsilon", 0.0), float):
        raise InputError(f"{path}: epsilon is {settings['epsilon']!r}: give a number such as 1e-07, or remove the file")
    for name, known in _KNOWN.items():
        if settings.get(name, known[0]) not in known and not (name == "backend" and os.environ.get(BACKEND_VARIABLE)):
            raise InputError(
                f"{path}: {name} is {settings[name]!r}: give one of {', '.join(known)}, or remove the file"
            )


def _read(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a file, so Keras cannot read its settings there; remove it")
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InputError(f"{path}: Keras cannot read its settings: {error.strerror}; fix or remove it") from error
    except RecursionError as error:
        raise InputError(f"{path}: nested too deeply for Keras's settings; fix or remove it") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        return {}  # Keras treats it as empty


class _CheckFirst(MetaPathFinder):
    """Import hook that checks the settings before any module that reads them is imported; finds no modules."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Checks the settings for these modules."""
        if fullname in _READERS:
            check()


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Allows imports of TensorFlow and Keras within the block only with valid settings."""
    guard = _CheckFirst()
    sys.meta_path.insert(0, guard)
    try:
        yield
    finally:
        sys.meta_path.remove(guard)
