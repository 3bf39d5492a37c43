"""The bundle: one folder with a manifest that accounts for every byte, written atomically.

Report, model card, tables, signatures and the check of what a manifest claims are here too. `export.exporting`, the
commands and `serving` import it; the exporters do not.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BundleSigner": "export.bundle.signing",
    "check_signature": "export.bundle.signing",
    "parity_table": "export.bundle.table",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
