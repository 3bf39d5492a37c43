"""Exports models as bundles of verified artifacts.

Public names load on first use: `import export` alone costs no TensorFlow.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BundleSigner": "export.bundle.signing",
    "ExportOptions": "export.artifact",
    "Style": "export.baked_style",
    "check_signature": "export.bundle.signing",
    "export_bundle": "export.exporting",
    "open_optimization": "export.sources.loader",
    "open_source": "export.sources.loader",
    "parity_table": "export.bundle.table",
    "verify_bundle": "export.exporting",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
