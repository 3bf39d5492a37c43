"""Neural style transfer models, and how to run them in one process.

Public names load on first use: `import toolkit` alone costs no TensorFlow.
"""

import importlib
from typing import Any

from toolkit import keras_settings

_PUBLIC = {
    "BakedStylizer": "toolkit.baked",
    "DeviceStylizer": "toolkit.device",
    "InputError": "toolkit.errors",
    "SavedModelStylizer": "toolkit.saved_model",
    "SourceOptions": "toolkit.source_options",
    "StyleportError": "toolkit.errors",
    "StyleTransfer": "toolkit.transfer",
    "Stylizer": "toolkit.stylizer",
    "VGG19Features": "toolkit.vgg19",
    "WorkError": "toolkit.errors",
    "feature_maps": "toolkit.panels",
    "gram_matrix": "toolkit.losses",
    "load_image": "toolkit.images",
    "open_model": "toolkit.models",
    "paint_at_detail": "toolkit.detail",
    "read_metadata": "toolkit.tflite_metadata",
    "save_image": "toolkit.images",
    "side_by_side": "toolkit.panels",
    "square": "toolkit.images",
    "to_pillow": "toolkit.images",
    "trusted": "toolkit.gate",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    with keras_settings.guarded():
        return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
