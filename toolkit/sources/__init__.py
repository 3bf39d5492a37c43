"""Sources of models: a preset, a handle of TensorFlow Hub, an archive or a path, brought to a local folder.

Nothing is loaded here; what arrives is looked through by `toolkit.safe_loading` first. `toolkit.external`,
`toolkit.inference` and whatever takes a `--model` import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "ModelSource": "toolkit.sources.model_source",
    "Resolved": "toolkit.sources.hub",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
