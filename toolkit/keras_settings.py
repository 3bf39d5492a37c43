"""The user's `keras.json`, looked through before TensorFlow and Keras read it as they are imported.

Both break off at values that they do not know, and wait at a pipe. What they take changes no picture; that is the
matter of `toolkit.framework.backend`.
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
# What may stand in the file; another backend than TensorFlow's is refused by `toolkit.framework.backend`.
_KNOWN = {
    "backend": ("tensorflow", "jax", "torch", "numpy", "openvino"),
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}
_READERS = ("keras", "tensorflow", "tf_keras")


def settings_file() -> Path:
    """Returns where Keras looks for the user's settings."""
    # As Keras does it, and not by pathlib, which raises where there is no home.
    home = os.path.expanduser("~")  # noqa: PTH111
    folder = os.environ.get("KERAS_HOME", f"{home if os.access(home, os.W_OK) else '/tmp'}/.keras")  # noqa: S108
    return Path(os.path.expanduser(folder), "keras.json")  # noqa: PTH111


def check() -> None:
    """Refuses settings at which importing TensorFlow or Keras breaks off."""
    path = settings_file()
    settings = _read(path)
    if not isinstance(settings, dict):
        raise InputError(f"{path}: holds no settings of Keras by name; mend or remove it")
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
        raise InputError(f"{path}: Keras cannot read its settings: {error.strerror}; mend or remove it") from error
    except RecursionError as error:
        raise InputError(f"{path}: nested too deeply for settings of Keras; mend or remove it") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        return {}  # as which Keras takes it


class _CheckFirst(MetaPathFinder):
    """Looks through the settings as soon as a module that reads them is asked for, whoever asks; finds nothing."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Checks, at the first of the modules."""
        if fullname in _READERS:
            check()


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Lets TensorFlow and Keras be imported within the block only with settings that they take."""
    guard = _CheckFirst()
    sys.meta_path.insert(0, guard)
    try:
        yield
    finally:
        sys.meta_path.remove(guard)
