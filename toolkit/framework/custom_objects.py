"""Imports the user's own modules, which register the custom classes and functions of a Keras model."""

import contextlib
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from toolkit.errors import InputError, reason


def import_modules(names: Sequence[str]) -> None:
    """Imports modules by name, from `sys.path` or else from the current folder; refuses what is no module's name.

    The names come from the user, never from a file. The current folder is searched last and only meanwhile, so that a
    file there cannot replace a library. Classes that a module does not register are known to Keras by their names from
    now on.
    """
    here = str(Path.cwd())
    for name in names:
        _check_name(name)
        with _last_on_the_path(here):
            try:
                module = importlib.import_module(name)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a module may raise anything, or end the program
                raise InputError(f"--import {name}: {_why(name, error, here)}") from error
        _make_known(module)


def _make_known(module: ModuleType) -> None:
    from toolkit.framework.backend import keras

    known = keras.saving.get_custom_objects()
    for name, value in vars(module).items():
        # No functions: a function `relu` would replace Keras's own in any model.
        if isinstance(value, type) and hasattr(value, "from_config") and not value.__module__.startswith("keras."):
            known.setdefault(name, value)


@contextlib.contextmanager
def _last_on_the_path(folder: str) -> Iterator[None]:
    is_new = folder not in sys.path
    if is_new:
        sys.path.append(folder)
        importlib.invalidate_caches()
    try:
        yield
    finally:
        if is_new and folder in sys.path:
            sys.path.remove(folder)


def _check_name(name: str) -> None:
    if _is_name(name) and not name.endswith(".py"):
        return
    stem = re.sub(r"\.py$", "", name).strip("./").replace("/", ".")
    hint = stem if _is_name(stem) else "my_layers"
    raise InputError(f"--import {name!r}: give the name of a Python module, not a path, such as --import {hint}")


def _is_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _why(name: str, error: BaseException, here: str) -> str:
    if not isinstance(error, ModuleNotFoundError):
        message = "it ends the program" if isinstance(error, SystemExit) else reason(error)
        return f"importing it failed: {type(error).__name__}: {message}"
    if error.name and f"{name}.".startswith(f"{error.name}."):
        return f"there is no module {error.name!r} on Python's path or in {here}; set PYTHONPATH to its folder"
    return f"importing it failed: it needs the module {error.name!r}, which is not installed"


def not_imported(names: Sequence[str]) -> list[str]:
    """Returns the modules that are not imported yet."""
    return [name for name in names if name not in sys.modules]
