"""External models: how their inputs are bound, which value ranges they use, and where they can be split.

Such a model becomes a stylizer with the toolkit's own interface, end-to-end or split at its bottleneck.
`toolkit.inference`, the commands and `export` import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "SignatureBinding": "toolkit.external.signature_binding",
    "FrozenGraph": "toolkit.external.frozen_graph",
    "PictureFormat": "toolkit.external.picture_format",
    "ExternalSingleStyleStylizer": "toolkit.external.end_to_end",
    "SourceOptions": "toolkit.external.source_options",
    "SplitStylizer": "toolkit.external.splitting",
    "EndToEndStylizer": "toolkit.external.end_to_end",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
