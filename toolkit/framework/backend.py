"""Imports Keras on TensorFlow for all other modules, and reports a failure in one line."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from toolkit import keras_settings
from toolkit.errors import InputError, MissingExtraError
from toolkit.extras import install
from toolkit.keras_settings import BACKEND_VARIABLE

BACKEND = "tensorflow"
# Modules that importing Keras fails on if its settings name another backend; `numpy` needs jax too.
BACKENDS = ("jax", "openvino", "torch")

# Every layer here gets these explicitly. Otherwise it would use Keras's settings, which the user may change at any
# time, with different pictures or failures as the result.
DTYPE = "float32"
PINNED: dict[str, Any] = {"dtype": DTYPE}
PINNED_2D: dict[str, Any] = {**PINNED, "data_format": "channels_last"}


def _import() -> Any:
    """Imports Keras."""
    if "keras" not in sys.modules:
        keras_settings.check()
    try:
        import keras
    except ModuleNotFoundError as error:
        if error.name in BACKENDS:
            _check_backend(error.name)
        if error.name == "keras":
            raise MissingExtraError(f"this needs keras: {install('export')}") from error
        raise
    _check_backend(keras.config.backend())
    return keras


def _check_backend(backend: str) -> None:
    if backend != BACKEND:
        raise InputError(f"Keras is set to run on {backend}: set {BACKEND_VARIABLE}={BACKEND}")


def dtype_of(kind: str, dtype: Any, known: Sequence[str] = (DTYPE,)) -> str:
    """Returns the name of a model's dtype, by default float32 whatever Keras's settings are; refuses unknown dtypes."""
    name = DTYPE if dtype is None else getattr(dtype, "name", None) or str(dtype)
    if name not in known:
        raise InputError(f"{kind} computes in {' or '.join(known)}, not in {name}: leave dtype out")
    return name


@contextlib.contextmanager
def pinned_floats() -> Iterator[None]:
    """Makes Keras use float32 where only its settings count, as for an optimizer's learning rate."""
    before = keras.config.floatx()
    keras.config.set_floatx(DTYPE)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


keras = _import()
layers, ops = keras.layers, keras.ops
