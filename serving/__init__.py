"""Bundles in, running models out.

Public names load on first use: `import serving` alone costs neither TensorFlow nor gRPC.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "StylizerClient": "serving.client",
    "Version": "serving.versions",
    "find_versions": "serving.versions",
    "publish": "serving.versions",
    "rollback": "serving.labels",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
