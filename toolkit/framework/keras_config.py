"""Checks the configuration in a `.keras` file before Keras reads it: it may name layers, but nothing that acts.

Keras's safe mode refuses Python code in a file. But it takes any name that Keras exports for a layer's function, and
calls it with what the file says: names of functions that download, and of classes that open files when they are made.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.errors import InputError
from toolkit.files.opening import open_file
from toolkit.framework.backend import keras

CONFIG_FILE = "config.json"
# A network of a thousand layers has about a megabyte.
MAX_CONFIG_BYTES = 64 << 20
_PARTS = ("activations", "constraints", "initializers", "losses", "metrics", "regularizers")
# `builtins` is how Keras writes the functions of these modules.
_FUNCTION_MODULES = {"builtins", "keras.ops", *(f"keras.{part}" for part in _PARTS)}
_CLASS_MODULES = {
    *("keras", "keras.layers", "keras.models", "keras.dtype_policies", "keras.random", "keras.quantizers"),
    *("keras.optimizers", "keras.optimizers.schedules", *(f"keras.{part}" for part in _PARTS)),
}
# In its own modules, Keras takes nothing but classes of layers, models and the like.
_OWN_MODULES = "keras.src."
# These run code, or read a file that the configuration names.
_ACTING = {"TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"}
# How Keras writes values that JSON does not have.
_VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"}
_LAMBDAS = {"Lambda", "__lambda__"}


def read(path: str | Path) -> Any:
    """Reads the configuration; raises an InputError for one that is too large."""
    with open_file(path) as stream, zipfile.ZipFile(stream) as archive:
        size = archive.getinfo(CONFIG_FILE).file_size
        if size > MAX_CONFIG_BYTES:
            raise InputError(f"{path}: refused: its {CONFIG_FILE} has {size} bytes, more than {MAX_CONFIG_BYTES}")
        return json.loads(archive.read(CONFIG_FILE))


def objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yields each part of a configuration that names a class or a function, at any depth."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def check(path: str | Path) -> None:
    """Refuses a file that names anything but layers, what they are made of, and registered custom objects.

    Raises:
        InputError: it names something else, or code.
    """
    for part in objects(read(path)):
        kind = part["class_name"]
        name = part.get("config") if kind == "function" else kind
        if kind in _LAMBDAS:
            raise InputError(
                f"{path}: has a Lambda layer or a lambda, whose code would come from the file, which is refused: write "
                "it as a class and give --import MODULE, the Python module that defines it"
            )
        if not (_is_registered(part) or _is_harmless(part)):
            module = part.get("module")
            known = f"{module}.{name}" if str(module).partition(".")[0] == "keras" else None
            raise InputError(f"{path}: {refused(known) if known else unknown(kind, name)}")


def refused(name: str) -> str:
    """Says that a name of Keras is not a layer's."""
    return f"refused: it names {name[:200]!r}, which is neither a layer nor what one is made of"


def unknown(kind: str, name: Any) -> str:
    """Says that a class or function is not known."""
    hint = ", decorated with @keras.saving.register_keras_serializable()" if kind == "function" else ""
    return (
        f"its {'function' if kind == 'function' else 'class'} {str(name)[:200]!r} is not known, and the file contains "
        f"no code: give --import MODULE, the Python module that defines it{hint}"
    )


def registered_name(part: dict[str, Any]) -> Any:
    """Returns the name under which Keras looks for a custom class or function of a configuration."""
    kind = part["class_name"]
    return part.get("config") if kind == "function" else part.get("registered_name", kind)


def _is_registered(part: dict[str, Any]) -> bool:
    name = registered_name(part)
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None


def _is_harmless(part: dict[str, Any]) -> bool:
    kind, module = part["class_name"], part.get("module")
    if kind in _VALUES:
        return True
    if not isinstance(module, str):  # Keras finds no class without its module
        return module is None and kind != "__typespec__"
    if kind == "function":
        return module in _FUNCTION_MODULES and not isinstance(_exported(module, part.get("config")), type)
    if kind in _ACTING:
        return False
    if module.startswith(_OWN_MODULES):
        return True
    return module in _CLASS_MODULES and isinstance(_exported(module, kind), type)


def _exported(module: str, name: Any) -> Any:
    """Returns what Keras exports by a name, or None."""
    found: Any = keras
    for part in [*module.split(".")[1:], str(name)]:
        found = getattr(found, part, None)
    return found
