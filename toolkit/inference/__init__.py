"""Paints pictures from the name of a model and the path of a picture, whatever form the model has.

This room opens models of every room below and paints with them through one interface. The commands and the pipelines of
`serving` import it; the other rooms of the toolkit do not.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "EncodedStyle": "toolkit.inference.image_stylizer",
    "ImageStylizer": "toolkit.inference.image_stylizer",
    "StylizedImage": "toolkit.inference.image_stylizer",
    "default_artifact": "toolkit.inference.artifact_choice",
    "open_model": "toolkit.inference.model_loader",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
