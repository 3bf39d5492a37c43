"""Serves exported bundles: client, server, versions, deployment files and pipelines.

Public names load on first use: `import serving` alone costs neither TensorFlow nor gRPC.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "StylizerClient": "serving.client.stylizer_client",
    "Version": "serving.versions.publishing",
    "find_versions": "serving.versions.publishing",
    "publish": "serving.versions.publishing",
    "rollback": "serving.versions.labels",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
