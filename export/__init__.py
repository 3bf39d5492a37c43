"""Models in, verified artifacts out.

Public names load on first use: `import export` alone costs no TensorFlow.
"""

import importlib
from typing import Any

_PUBLIC = {
    "BundleSigner": "export.signing",
    "ExportOptions": "export.artifact",
    "Style": "export.style",
    "check_signature": "export.signing",
    "export_bundle": "export.exporting",
    "open_optimisation": "export.sources",
    "open_source": "export.sources",
    "parity_table": "export.table",
    "verify_bundle": "export.exporting",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'export' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
