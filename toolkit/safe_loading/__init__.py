"""The checks before an external model is loaded: its archive, files and graphs are read within bounds, not run.

A SavedModel passes if its graphs compute and reach nothing else. Whatever loads or unpacks a model imports it; it
imports files, errors and manifests alone.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "DownloadLimits": "toolkit.safe_loading.download_limits",
    "check_archive": "toolkit.safe_loading.archive",
    "check_graph": "toolkit.safe_loading.graph_rules",
    "trusted": "toolkit.safe_loading.saved_model_check",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
