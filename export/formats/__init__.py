"""Exporters, one per format and method, which write each artifact into its own folder.

They export SavedModel and TFLite for the feed-forward stylizer, for optimization and for external models, end-to-end or
with a baked style. `export.sources`, `export.parity` and `export.web` import this room.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BakedStyle": "export.formats.baked_tflite",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
