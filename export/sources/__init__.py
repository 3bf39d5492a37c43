"""Sources of an export: a class for each method, and the exporters of external models.

`open_source` opens the model of a `--model`, and `reopen` the model kept in a bundle. The commands,
`export.exporting` and the pipelines import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "ExportableStylizer": "export.sources.feed_forward",
    "Optimization": "export.sources.optimization",
    "open_optimization": "export.sources.loader",
    "open_source": "export.sources.loader",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
