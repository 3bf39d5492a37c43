"""PredictionService and ModelService over gRPC, with the official messages.

Answers are written straight to the wire. The server's `app` imports it, and `http` for answers that both share.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "ModelService": "serving.server.grpc.service",
    "PredictionService": "serving.server.grpc.service",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
