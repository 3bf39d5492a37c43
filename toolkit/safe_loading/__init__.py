"""Checks an external model before it is loaded: reads its archive, files and graphs within limits, and runs nothing.

A SavedModel passes if its graphs only compute and have no side effects. Everything that loads or unpacks a model
imports this room; it imports only files, errors and manifests.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "DownloadLimits": "toolkit.safe_loading.download_limits",
    "check_archive": "toolkit.safe_loading.archive",
    "check_graph": "toolkit.safe_loading.graph_rules",
    "trusted": "toolkit.safe_loading.saved_model_check",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
