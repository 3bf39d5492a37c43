"""Keras on TensorFlow: everything here that uses Keras imports it from this module, and so learns in one line why not.

Keras reads the user's `keras.json` as it is imported, breaks off at values it does not know, and waits at a pipe.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import InputError

BACKEND = "tensorflow"
# Takes precedence over the file.
BACKEND_VARIABLE = "KERAS_BACKEND"

# What every layer here is told, for otherwise it takes Keras's settings, which the user may change at any time: other
# pictures would come of them, or none.
DTYPE = "float32"
PINNED: dict[str, Any] = {"dtype": DTYPE}
PINNED_2D: dict[str, Any] = {**PINNED, "data_format": "channels_last"}


def settings_file() -> Path:
    """Returns where Keras looks for the user's settings."""
    # As Keras does it, and not by pathlib, which raises where there is no home.
    home = os.path.expanduser("~")  # noqa: PTH111
    folder = os.environ.get("KERAS_HOME", f"{home if os.access(home, os.W_OK) else '/tmp'}/.keras")  # noqa: S108
    return Path(os.path.expanduser(folder), "keras.json")  # noqa: PTH111


def _settings(path: Path) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not a file, so Keras cannot read its settings there; remove it")
    try:
        settings = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{path}: Keras cannot read its settings: {error.strerror}; mend or remove it") from error
    except ValueError:  # which Keras takes for no settings
        return {}
    except RecursionError as error:
        raise InputError(f"{path}: nested too deeply for settings of Keras; mend or remove it") from error
    if not isinstance(settings, dict):
        raise InputError(f"{path}: holds no settings of Keras by name; mend or remove it")
    return settings


def _import() -> Any:
    """Imports Keras."""
    if "keras" not in sys.modules:
        path = settings_file()
        settings = _settings(path)
        _check_backend(os.environ.get(BACKEND_VARIABLE) or settings.get("backend", BACKEND))
        try:
            import keras
        except (ValueError, TypeError) as error:
            line = " ".join(str(error).split())[:200]
            raise InputError(f"{path}: Keras refuses its settings ({line}); mend or remove it") from error
    import keras

    _check_backend(keras.config.backend())
    return keras


def _check_backend(backend: Any) -> None:
    if backend != BACKEND:
        raise InputError(f"Keras is set to run on {backend}: set {BACKEND_VARIABLE}={BACKEND}")


def dtype_of(kind: str, dtype: Any, known: Sequence[str] = (DTYPE,)) -> str:
    """Returns what a model computes in.

    Args:
        kind: the model's class.
        dtype: a dtype or a policy of Keras; None for float32, whatever Keras's settings are.
        known: what the model can compute in.

    Returns:
        One of the known.

    Raises:
        InputError: it is another one.
    """
    name = DTYPE if dtype is None else getattr(dtype, "name", None) or str(dtype)
    if name not in known:
        raise InputError(f"{kind} computes in {' or '.join(known)}, not in {name}: leave dtype out")
    return name


@contextlib.contextmanager
def pinned_floats() -> Iterator[None]:
    """Holds Keras to float32 where it asks nothing but its settings: an optimizer's rate is made in that dtype."""
    before = keras.config.floatx()
    keras.config.set_floatx(DTYPE)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


keras = _import()
layers, ops = keras.layers, keras.ops
