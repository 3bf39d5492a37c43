"""One exporter a format and method: a model in, artifacts out, each in its own folder.

SavedModel and TFLite, for the feed-forward stylizer, for optimization and for external models, end to end or with
one style baked in. `export.sources`, `export.parity` and `export.web` import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BakedStyle": "export.formats.baked_tflite",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
