"""Rewrites of graphs with equal results: a fast inference form, borders as slices, and decoding of bytes.

Each is a function or a module of TensorFlow operations. `export.formats` imports this room; of the toolkit, it imports
the graphs and layers that it rewrites.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "InferenceForm": "export.rewrites.inference_form",
    "sliced": "export.rewrites.mirror_padding",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
