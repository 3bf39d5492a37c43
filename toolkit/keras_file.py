"""Opens `.keras` files from outside, which may hold anything."""

import zipfile
from pathlib import Path
from typing import Any, TypeVar

import keras

from toolkit.errors import InputError
from toolkit.opening import open_file

Kind = TypeVar("Kind")

# What a file may unpack to: some hundred megabytes are a large network.
MAX_BYTES = 2 << 30


def load(path: str | Path, kind: type[Kind]) -> Kind:
    """Loads a model that was saved with `save`.

    Args:
        path: a `.keras` file.
        kind: the class the model must be of.

    Returns:
        The model, not compiled.

    Raises:
        InputError: the file is missing, damaged, or holds something else.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        _check_size(path)
        # Safe mode: a file from outside must not bring code along.
        model: Any = keras.saving.load_model(path, compile=False, safe_mode=True)
    except InputError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ImportError, zipfile.BadZipFile) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise InputError(f"{path}: not a Keras model ({lines[0][:200]})") from error
    if not isinstance(model, kind):
        raise InputError(f"{path}: holds a {type(model).__name__}, not a {kind.__name__}")
    return model


def _check_size(path: str | Path) -> None:
    with open_file(path) as stream, zipfile.ZipFile(stream) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise InputError(f"{path}: refused: unpacks to {size} bytes, over the limit of {MAX_BYTES}")
