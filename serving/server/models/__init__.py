"""The models that the server keeps loaded: their versions through each state, their labels, and who waits for them.

A version is loaded as TensorFlow Serving loads it. The protocols, `predict` and `batching` import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "ServedModel": "serving.server.models.version",
    "ModelManager": "serving.server.models.manager",
    "Servable": "serving.server.models.loader",
    "ServedVersion": "serving.server.models.version",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
