"""Versions of a model: publishing, labels, rollback, pruning and lineage, on running servers.

The folders of a base path and its models.config are changed only here. The commands and the pipelines
import it; the server does not.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "ModelsFile": "serving.versions.models_config",
    "Move": "serving.versions.labels",
    "Pruned": "serving.versions.pruning",
    "Version": "serving.versions.publishing",
    "find_versions": "serving.versions.publishing",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
