"""The feature extractor of method 1: VGG19, the sources of its weights, and its convolutions by Winograd's filtering.

Only `toolkit.optimization`, its exporters and its commands import it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "FastFeatures": "toolkit.optimization.features.winograd",
    "VGG19Features": "toolkit.optimization.features.vgg19",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
