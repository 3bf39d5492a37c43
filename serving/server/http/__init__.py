"""The REST API of TensorFlow Serving over HTTP: requests in JSON, answers in JSON, and the Prometheus page.

External data is limited before it is read. The server's `app` imports this room.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "Callers": "serving.server.http.callers",
    "RestApi": "serving.server.http.rest",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
