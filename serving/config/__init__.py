"""The files that TensorFlow Serving reads, as protobuf text: models, batching, monitoring, TLS, version policies.

The project's own files and the messages behind them lie here too. `serving.versions` and the server import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "picked": "serving.config.version_policy",
    "read_batching": "serving.config.text_files",
    "read_models": "serving.config.text_files",
    "read_monitoring": "serving.config.text_files",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
