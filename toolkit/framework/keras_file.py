"""Opens `.keras` files from outside, which may hold anything."""

import collections
import contextlib
import copy
import json
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from toolkit.errors import InputError, StyleportError, WorkError, reason
from toolkit.files.opening import open_file
from toolkit.framework.backend import keras
from toolkit.process.deadline import within

Kind = TypeVar("Kind")

SUFFIX = ".keras"
# What a file may unpack to: some hundred megabytes are a large network.
MAX_BYTES = 2 << 30
# From fast disks the largest networks load within seconds.
LOAD_SECONDS = 120.0
# Not public, but the public way, clear_session, forgets all that the process has.
_state = keras.src.backend.common.global_state
_LEFT_RANDOM = "Skipping nested container"
_REGISTER = "decorated with @keras.saving.register_keras_serializable()"


def load(path: str | Path, kind: type[Kind]) -> Kind:
    """Loads a model that was saved with `save`.

    Args:
        path: a `.keras` file.
        kind: the class the model must be of.

    Returns:
        The model, not compiled.

    Raises:
        InputError: the file is missing, damaged, or holds something else, or a class that is not known.
        WorkError: it was not loaded in time.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        _check_size(path)
        model = _in_time(Path(path))
    except (StyleportError, MemoryError):
        raise
    except Exception as error:  # a class in the file may raise anything
        raise InputError(f"{path}: {_what_is_wrong(error)}") from error
    if not isinstance(model, kind):
        raise InputError(f"{path}: holds a {type(model).__name__}, not a {kind.__name__}")
    return model


def _in_time(path: Path) -> Any:
    """Loads a model; what is in the file decides how long that takes, so there is a deadline."""
    # Keras keeps its settings, such as custom_object_scope, for each thread apart. Lists among them are work under way,
    # such as variables that wait for their values: two threads that shared one would finish each other's.
    settings = {
        name: copy.copy(value) if isinstance(value, dict | list | set) else value
        for name, value in vars(_state.GLOBAL_STATE_TRACKER).items()
    }

    def load() -> Any:
        vars(_state.GLOBAL_STATE_TRACKER).update(settings)
        with fresh_names(), _named_as_keras_wants(path) as named, warnings.catch_warnings():
            # Keras warns where it leaves layers with random weights, which paint nonsense.
            warnings.filterwarnings("error", message=_LEFT_RANDOM)
            # Safe mode: a file from outside must not bring code along.
            return keras.saving.load_model(named, compile=False, safe_mode=True)

    try:
        return within(LOAD_SECONDS, load)
    except TimeoutError as error:
        raise WorkError(f"{path}: given up: not loaded within {LOAD_SECONDS:g} s: it has too many layers") from error


def _check_size(path: str | Path) -> None:
    with open_file(path) as stream, zipfile.ZipFile(stream) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_BYTES:
        raise InputError(f"{path}: refused: unpacks to {size} bytes, over the limit of {MAX_BYTES}")


@contextlib.contextmanager
def fresh_names() -> Iterator[None]:
    """Numbers the layers that are made in here from the start, whatever the process made before.

    Keras counts the layers that nobody named. What a graph's tensors are called must depend on the model alone, for
    a manifest names one of them.
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
    """Gives a `.KERAS` file the name by which Keras knows its kind."""
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
        kind, name = unknown[-1]
        return (
            f"its {kind} {name!r} is not known, and the file brings no code along: give --import MODULE, the Python "
            f"module that defines it{'' if kind == 'class' else ', ' + _REGISTER}"
        )
    if "`Lambda` layer" in message or "Python lambda" in message:
        return (
            "has a Lambda layer or a lambda, whose code would come from the file, which is refused: write it as a "
            "class and give --import MODULE, the Python module that defines it"
        )
    if message.startswith(_LEFT_RANDOM):
        return "lacks weights of layers that stand in nested lists, which would stay random: save the model anew"
    if nested := re.findall(r"Exception encountered: ([^\n]+)", message):
        return f"could not be loaded ({nested[-1][:300]})"
    return f"not a Keras model ({reason(error)})"


def custom_modules(path: Path) -> list[str]:
    """Lists the modules of a loaded model's classes, but for Keras, this project and what nobody can import."""
    with zipfile.ZipFile(path) as archive:
        names = set(_registered_names(json.loads(archive.read("config.json"))))
    found = filter(None, map(keras.saving.get_registered_object, names))
    modules = {str(custom_object.__module__) for custom_object in found}
    return sorted(module for module in modules if module.partition(".")[0] not in ("keras", "toolkit", "__main__"))


def _registered_names(config: Any) -> Iterator[str]:
    """What a file's configuration calls the classes and functions that are registered with Keras by name."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = part.get("config" if part.get("class_name") == "function" else "registered_name")
            if isinstance(name, str):
                yield name
        waiting += part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
