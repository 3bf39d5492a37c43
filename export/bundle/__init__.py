"""The bundle: a folder with a manifest of all its files, written atomically.

This room also has reports, model cards, tables, signatures and the check of a manifest's claims. `export.exporting`,
the commands and `serving` import it; the exporters do not.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "BundleSigner": "export.bundle.signing",
    "check_signature": "export.bundle.signing",
    "parity_table": "export.bundle.table",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
