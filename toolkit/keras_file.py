"""Opens `.keras` files from outside, which may hold anything."""

import collections
import contextlib
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from toolkit.backend import keras
from toolkit.errors import InputError, reason
from toolkit.opening import open_file

Kind = TypeVar("Kind")

SUFFIX = ".keras"
# What a file may unpack to: some hundred megabytes are a large network.
MAX_BYTES = 2 << 30
_REGISTER = "decorated with @keras.saving.register_keras_serializable()"


def load(path: str | Path, kind: type[Kind]) -> Kind:
    """Loads a model of a class, not compiled, that was saved with `save`; refuses damaged files and unknown classes."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        _check_size(path)
        with fresh_names(), _named_as_keras_wants(Path(path)) as named:
            # Safe mode: a file from outside must not bring code along.
            model: Any = keras.saving.load_model(named, compile=False, safe_mode=True)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a class in the file may raise anything
        raise InputError(f"{path}: {_what_is_wrong(error)}") from error
    if not isinstance(model, kind):
        raise InputError(f"{path}: holds a {type(model).__name__}, not a {kind.__name__}")
    return model


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
    # Not public, but the public way, clear_session, forgets all that the process has.
    global_state = keras.src.backend.common.global_state
    counters = "object_name_uids"
    before = global_state.get_global_attribute(counters)
    global_state.set_global_attribute(counters, collections.defaultdict(int))
    try:
        yield
    finally:
        global_state.set_global_attribute(counters, before)


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
    told = str(error)
    if unknown := re.findall(r"Could not locate (class|function) '([^'\n]{1,200})'", told):
        kind, name = unknown[-1]
        return (
            f"its {kind} {name!r} is not known, and the file brings no code along: give --import MODULE, the Python "
            f"module that defines it{'' if kind == 'class' else ', ' + _REGISTER}"
        )
    if "`Lambda` layer" in told or "Python lambda" in told:
        return (
            "has a Lambda layer or a lambda, whose code would come from the file, which is refused: write it as a "
            "class and give --import MODULE, the Python module that defines it"
        )
    if nested := re.findall(r"Exception encountered: ([^\n]+)", told):
        return f"could not be loaded ({nested[-1][:300]})"
    return f"not a Keras model ({reason(error)})"


def custom_modules(path: Path) -> list[str]:
    """Lists the modules of a loaded model's classes, but for Keras, this project and what nobody can import."""
    with zipfile.ZipFile(path) as archive:
        names = set(_registered_names(json.loads(archive.read("config.json"))))
    found = filter(None, map(keras.saving.get_registered_object, names))
    modules = {str(one.__module__) for one in found}
    return sorted(one for one in modules if one.partition(".")[0] not in ("keras", "toolkit", "__main__"))


def _registered_names(config: Any) -> Iterator[str]:
    """What a file's configuration calls the classes and functions that are registered with Keras by name."""
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            name = one.get("config" if one.get("class_name") == "function" else "registered_name")
            if isinstance(name, str):
                yield name
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
