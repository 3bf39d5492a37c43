"""Bundles in, running models out.

Public names load on first use: `import serving` alone costs neither TensorFlow nor gRPC.
"""

import importlib
from typing import Any

_PUBLIC = {
    "StylizerClient": "serving.client",
    "Version": "serving.versions",
    "find_versions": "serving.versions",
    "publish": "serving.versions",
    "rollback": "serving.labels",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'serving' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
