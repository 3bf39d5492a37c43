"""The server's models: loading, version states, labels, and waiting for availability.

Versions are loaded as in TensorFlow Serving. The protocols, `predict` and `batching` import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "ServedModel": "serving.server.models.version",
    "ModelManager": "serving.server.models.manager",
    "Servable": "serving.server.models.loader",
    "ServedVersion": "serving.server.models.version",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
