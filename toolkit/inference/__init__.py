"""From the name of a model and a picture's file to the painted picture, whatever form the model has.

It opens models of every room below and paints with them through one call. The commands and the pipelines of `serving`
import it; the rooms of the toolkit do not.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "EncodedStyle": "toolkit.inference.image_stylizer",
    "ImageStylizer": "toolkit.inference.image_stylizer",
    "StylizedImage": "toolkit.inference.image_stylizer",
    "default_artifact": "toolkit.inference.artifact_choice",
    "open_model": "toolkit.inference.model_loader",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
