"""Parity: metrics of an artifact on real pairs of pictures, compared with what the float32 model paints.

`export.gates` has the bounds of the metrics. `export.sources` and `export.exporting` import it; the
exporters of `export.formats` do not.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "ReferenceOutputs": "export.parity.evaluation",
    "ArtifactReferences": "export.parity.reference_outputs",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
