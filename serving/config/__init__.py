"""The files of TensorFlow Serving in protobuf text: models, batching, monitoring, TLS; and version policies.

This room also contains the project's own files and their messages. `serving.versions` and the server import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "picked": "serving.config.version_policy",
    "read_batching": "serving.config.text_files",
    "read_models": "serving.config.text_files",
    "read_monitoring": "serving.config.text_files",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
