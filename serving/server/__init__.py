"""A local model server that speaks as TensorFlow Serving does; for development and tests, never for production.

Each protocol has a room (`http`, `grpc`) over `predict`, which runs requests through `batching` on what `models` keeps
loaded. The command `serve` and the pipelines' smoke test import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "LoadOptions": "serving.server.options",
    "ServerOptions": "serving.server.options",
    "ServingError": "serving.server.status",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
