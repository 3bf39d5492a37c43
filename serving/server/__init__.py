"""A local model server with TensorFlow Serving's interface; for development and tests, not for production.

Each protocol has a room (`http`, `grpc`) above `predict`, which runs requests through `batching` on the loaded
`models`. The command `serve` and the pipelines' smoke test import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "LoadOptions": "serving.server.options",
    "ServerOptions": "serving.server.options",
    "ServingError": "serving.server.status",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
