"""Converts pictures in any form to tensors for Keras models."""

from typing import Any

from toolkit.framework.backend import keras, ops
from toolkit.imaging.picture import MIN_SIDE
from toolkit.imaging.validation import as_pictures


def as_tensor(pictures: Any, name: str, min_side: int = MIN_SIDE) -> Any:
    """Converts pictures in any form to a tensor; a float tensor stays as it is, so that gradients flow through it."""
    batch = as_pictures(pictures, name, min_side)
    if isinstance(pictures, keras.KerasTensor):
        return pictures
    is_float_tensor = hasattr(pictures, "numpy") and len(pictures.shape) == 4 and "float" in str(pictures.dtype)
    return ops.convert_to_tensor(pictures if is_float_tensor else batch)
