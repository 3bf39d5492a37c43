"""Brings Keras models of mixed or lower precision to float32, in which everything is exported and compared."""

from typing import Any

import keras

from toolkit.keras_file import fresh_names

_DTYPES = ("float16", "bfloat16", "float64")
_POLICIES = (*_DTYPES, "mixed_float16", "mixed_bfloat16")


def in_float32(model: Any) -> Any:
    """Returns a model whose layers compute in float32.

    Args:
        model: a Keras model.

    Returns:
        The model itself where they do; else a copy with the same weights.
    """
    policies = [layer.dtype_policy.name for layer in model._flatten_layers()]
    if not {*policies, *(tensor.dtype for tensor in model.inputs)}.intersection(_POLICIES):
        return model
    config = _changed(keras.saving.serialize_keras_object(model))
    with fresh_names():
        copy: Any = keras.saving.deserialize_keras_object(config, safe_mode=True)
    copy.set_weights(model.get_weights())
    return copy


def _changed(config: Any, key: str = "") -> Any:
    """The same configuration with other policies and types, of inputs and of casts, too."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy" and config.get("config", {}).get("name") in _POLICIES:
            return {**config, "config": {"name": "float32"}}
        return {name: _changed(value, name) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_changed(value) for value in config)
    return "float32" if key == "dtype" and config in _POLICIES else config
