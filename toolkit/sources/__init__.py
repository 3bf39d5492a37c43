"""Sources of models: resolves a preset, a TensorFlow Hub handle, an archive or a path to a local folder.

Nothing is loaded here; `toolkit.safe_loading` checks downloads first. `toolkit.external`, `toolkit.inference` and
everything with a `--model` option import this room.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "ModelSource": "toolkit.sources.model_source",
    "Resolved": "toolkit.sources.hub",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
