"""Loads untrusted `.keras` files."""

import collections
import contextlib
import copy
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from toolkit.errors import InputError, StyleportError, WorkError, reason
from toolkit.files.opening import open_file
from toolkit.framework import keras_config
from toolkit.framework.backend import keras
from toolkit.process.deadline import within

Kind = TypeVar("Kind")

SUFFIX = ".keras"
# Limit of the unpacked size; a large network has a few hundred megabytes.
MAX_BYTES = 2 << 30
# From a fast disk, the largest networks load within seconds.
LOAD_SECONDS = 120.0
# Not public, but the public clear_session would clear the whole process's state.
_state = keras.src.backend.common.global_state
_LEFT_RANDOM = "Skipping nested container"


def load(path: str | Path, kind: type[Kind]) -> Kind:
    """Loads a `.keras` file that was saved with `save`, as a model of a class, not compiled.

    Raises:
        InputError: the file is missing, damaged, or contains something else or an unknown class.
        WorkError: loading took too long.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        _check_size(path)
        keras_config.check(path)
        model = _in_time(Path(path))
    except (StyleportError, MemoryError):
        raise
    except Exception as error:  # a class in the file may raise anything
        raise InputError(f"{path}: {_what_is_wrong(error)}") from error
    if not isinstance(model, kind):
        raise InputError(f"{path}: holds a {type(model).__name__}, not a {kind.__name__}")
    return model


def _in_time(path: Path) -> Any:
    """Loads a model with a deadline, because the file determines how long that takes."""
    # Keras keeps its settings, such as custom_object_scope, per thread. Lists among them are work in progress, such as
    # variables waiting for their values: two threads that shared a list would finish each other's work.
    settings = {
        name: copy.copy(value) if isinstance(value, dict | list | set) else value
        for name, value in vars(_state.GLOBAL_STATE_TRACKER).items()
    }

    def load() -> Any:
        vars(_state.GLOBAL_STATE_TRACKER).update(settings)
        with fresh_names(), _named_as_keras_wants(path) as named, warnings.catch_warnings():
            # Keras only warns about layers with random weights, which would paint nonsense.
            warnings.filterwarnings("error", message=_LEFT_RANDOM)
            # Safe mode: an external file must not contain code.
            return keras.saving.load_model(named, compile=False, safe_mode=True)

    try:
        return within(LOAD_SECONDS, load)
    except TimeoutError as error:
        raise WorkError(f"{path}: loading took longer than {LOAD_SECONDS:g} s: it has too many layers") from error


def _check_size(path: str | Path) -> None:
    with open_file(path) as stream, zipfile.ZipFile(stream) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise InputError(f"{path}: refused: unpacks to {size} bytes, more than the limit of {MAX_BYTES}")


@contextlib.contextmanager
def fresh_names() -> Iterator[None]:
    """Restarts Keras's numbering of unnamed layers within the block.

    Names in a graph must depend on the model alone, because a manifest records the name of a tensor.
    """
    counters = "object_name_uids"
    before = _state.get_global_attribute(counters)
    _state.set_global_attribute(counters, collections.defaultdict(int))
    try:
        yield
    finally:
        _state.set_global_attribute(counters, before)


@contextlib.contextmanager
def _named_as_keras_wants(path: Path) -> Iterator[Path]:
    """Provides a `.KERAS` file under the suffix that Keras requires."""
    if path.suffix == SUFFIX:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder, f"model{SUFFIX}")
        named.symlink_to(path.resolve())
        yield named


def _what_is_wrong(error: Exception) -> str:
    message = str(error)
    if unknown := re.findall(r"Could not locate (class|function) '([^'\n]{1,200})'", message):
        return keras_config.unknown(*unknown[-1])
    if message.startswith(_LEFT_RANDOM):
        return "lacks weights of layers in nested lists, which would stay random: save the model again"
    if nested := re.findall(r"Exception encountered: ([^\n]+)", message):
        return f"could not be loaded ({nested[-1][:300]})"
    return f"not a Keras model ({reason(error)})"


def custom_modules(path: Path) -> list[str]:
    """Lists the modules of a loaded model's custom classes, except Keras, this project and `__main__`."""
    names = {keras_config.registered_name(part) for part in keras_config.objects(keras_config.read(path))}
    found = filter(None, (keras.saving.get_registered_object(name) for name in names if isinstance(name, str)))
    modules = {str(custom_object.__module__) for custom_object in found}
    return sorted(module for module in modules if module.partition(".")[0] not in ("keras", "toolkit", "__main__"))
