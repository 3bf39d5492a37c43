"""Keras on TensorFlow: the only import of Keras, safe loading of its files, tensors and custom gradients.

All code that uses Keras imports it from `toolkit.framework.backend`. Neither pictures nor the LiteRT runtime import
that module.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "as_tensor": "toolkit.framework.tensors",
    "dtype_of": "toolkit.framework.backend",
    "pinned_floats": "toolkit.framework.backend",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
