"""Models in, verified artifacts out.

Public names load on first use: `import export` alone costs no TensorFlow.
"""

from toolkit.public_names import on_first_use

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
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
