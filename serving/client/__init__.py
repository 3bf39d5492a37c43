"""The client of a stylizer on TensorFlow Serving, or a compatible server, over REST or gRPC.

Over REST it needs no TensorFlow. Users, the commands and `serving.versions` import it; it imports no other room of
serving.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "Replicas": "serving.client.replicas",
    "ServerError": "serving.client.transport",
    "StylizerClient": "serving.client.stylizer_client",
    "VersionStatus": "serving.client.transport",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
